# METADATA
# title: Mails are counted
# description: Every mail spends from the budget `mails` of its session.
package packs.mails

charge["mails"] := 1 if input.action.tool == "send_mail"
