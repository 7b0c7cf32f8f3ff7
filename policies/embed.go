// Package policies holds the shipped policy library, the starter pack and the
// schemas, as `remit init` writes them to a folder of the user's own. README.md
// says how to write policies.
package policies

import "embed"

// FS is the folder: the Rego and its tests, the data files to fill in, the JSON
// schemas of input and decision, and what checks it all in a pipeline.
//
//go:embed README.md ci remit packs schemas
var FS embed.FS

// InputSchema is the JSON schema of `input`, which every policy is type-checked
// against.
//
//go:embed schemas/input.json
var InputSchema []byte
