// Package load asks a gRPC server as Envoy does: over few HTTP/2 connections
// that are kept, with many requests in flight on each, every window honoured.
//
// It is a client of its own because of what it costs: one goroutine copies
// prepared messages to non-blocking sockets and reads what comes back, so that
// the core it runs on can ask for more than the server's core can answer. It
// speaks of HTTP/2 (RFC 9113) what a gRPC server needs and no more: it sends no
// priorities and takes no pushes, and anything it does not expect is an error.
package load
