// Package localstore is the embedded store: state in memory, one append-only
// journal, snapshots; one process a directory.
//
// # The journal
//
// A journal is a row of segments, files of a fixed size that are allocated
// whole before they are used (so a full disk is known before a decision is
// charged) and mapped shared (so an entry survives the death of the process as
// soon as it is copied). An entry is
//
//	word     8 bytes: state, kind and length of the payload
//	checksum 4 bytes: CRC-32C of kind and payload; 4 bytes zero
//	payload, filled up with zeros to a multiple of 8
//
// Writers share no lock. Who wants to append swaps the word at the tail from 0
// to "reserved, kind, length" (one atomic instruction that both takes the space
// and tells a later reader how long it is), moves the tail on, copies checksum
// and payload, and last stores the word as "accepted". A writer that finds the
// word taken moves the tail on for the one who took it, so nobody waits for a
// goroutine that was put aside. After a crash at any instruction a reader steps
// over what was reserved and not accepted, and finds everything accepted
// behind it; the first zero word is the end, and nothing may follow it.
//
// # Seals
//
// Once a second a seal is appended: a signature (Ed25519) over the chain of
// SHA-256 of everything accepted so far. [Verify] walks the journal and notices
// what was changed, taken out, put in or moved. What came after the last seal
// it counts as unsealed; after an orderly end nothing is.
//
// # Retention
//
// Where the configuration bounds what is kept ([Retention]), the oldest segments
// are removed: no start needs them any more (both snapshots came later), and they
// were exported, or the export is too far behind. What was removed is not forgotten:
// a signed horizon says where the journal begins and what its chain was there, so
// that [Verify] goes on from it and nobody else can take segments away in front.
//
// # Durability
//
// `os`: an accepted entry is with the operating system and survives the death
// of the process. `sync`: it is on the disk before it counts as accepted; one
// sync serves all who wait. What ends a session's authority is synced always, and
// so is a revocation and an operator's order about a session, with all that stands
// before it in the journal.
package localstore
