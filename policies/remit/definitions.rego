# METADATA
# title: Definitions of tools
# description: |
#   How the tool that is called describes itself, beside what somebody reviewed
#   (the catalog's `definition`). Where `catalog.definitions` is not configured for
#   its system, a reviewed tool is `unseen`.
package remit.definitions

# Somebody reviewed a definition, and the server has another one now, or had one
# when it was last heard of.
changed if input.target.definition.state == "changed"

# The definition is the reviewed one, and the server has confirmed it within the
# configured time. Anything not known is not the same.
default same := false

same if input.target.definition.state == "same"

# Somebody reviewed a definition.
default pinned := false

pinned if input.target.definition.pinned
