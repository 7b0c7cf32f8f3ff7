// Package harness starts the real things: Envoy, remit's own binary, an MCP
// tool server made with the official SDK, a plain HTTP API and an issuer of
// tokens. The demonstration and the end-to-end tests stand on it.
package harness
