// Package export brings the decision log to where it is kept: it follows the
// journal, off the path of decisions, and hands what it reads to sinks in batches.
//
// # What a sink gets
//
// Every event, in the order of the journal, at least once. Each sink has a cursor
// of its own, which is on the disk before anything counts as exported: after a
// crash, what was handed over since the cursor was written is handed over again,
// and a receiver tells it by position or decision id. What cannot be handed over
// any more, because it was removed from the journal before, is an event itself (a
// gap), a count and a line of the log.
//
// # What happens when a sink does not take it
//
// It is tried again, with longer and longer pauses, for as long as it takes: nothing
// is dropped here. The journal keeps what the slowest sink does not have, as far as
// the configuration lets it ([Exporter.Exported]).
package export
