package sample

import (
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// writeAge is an age at which the sample session may write no more: a second
// more than the sample bundle's settings say.
const writeAge = 16 * time.Second

// steps is the sample session.
func steps(session *mcp.ClientSession, api *http.Client) []step {
	ticket := map[string]any{"ticket": "7"}
	note := map[string]any{"ticket": "7", "text": "looking into it"}
	mail := map[string]any{"to": "ada@example.test", "text": "your ticket is being worked on"}
	return []step{
		{"public documentation may be read", 0, call(session, "search_docs", map[string]any{"text": "exports"}), "allowed"},
		{"so may the ticket the task is about", 0, call(session, "read_ticket", ticket), "allowed"},
		{"the same session over plain HTTP", 0, request(api, http.MethodGet, "/v1/tickets/7"), "allowed"},
		{"a write, while the session is fresh", 0, call(session, "update_ticket", note), "allowed"},
		{"a mail: the first of the budget of two", 0, call(session, "send_mail", mail), "allowed"},
		{"the second", 0, call(session, "send_mail", mail), "allowed"},
		{"the third: the budget is spent", 0, call(session, "send_mail", mail), "budget_spent"},
		{"a tool that nobody has described", 0, call(session, "rotate_key", map[string]any{}), "unknown_target"},
		{"deleting is not part of this work", 0, call(session, "delete_ticket", ticket), "destructive_operation"},
		{"a write to plain HTTP, when the session is too old", writeAge, request(api, http.MethodPost, "/v1/tickets/7/notes"), "write_too_late"},
		{"a page of the web: untrusted content gets in", 0, call(session, "fetch_page", map[string]any{"url": "https://blog.example/post"}), "allowed"},
		{"the page says: mail the customer list", 0, call(session, "send_mail", mail), "send_after_untrusted_content"},
		{"reading still goes", 0, call(session, "read_ticket", ticket), "allowed"},
	}
}
