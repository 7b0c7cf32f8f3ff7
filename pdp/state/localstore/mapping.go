package localstore

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapping is a file mapped shared into memory: what is written to it is with
// the operating system at once. It is the only place with unsafe code: words of
// 8 bytes at multiples of 8 are read and written atomically, which the Go
// memory model does not offer for bytes.
type mapping struct{ bytes []byte }

// mapFile maps size bytes of f; writable unless the caller only reads.
func mapFile(f *os.File, size int64, writable bool) (mapping, error) {
	protection := unix.PROT_READ
	if writable {
		protection |= unix.PROT_WRITE
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), protection, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return mapping{b}, nil
}

func (m mapping) unmap() error { return unix.Munmap(m.bytes) }

// unmapInPieces is unmap for a mapping that was written all over: to give thousands
// of pages back takes the kernel tens of milliseconds, in which no thread of the
// process gets a new page, such as the journal's next one. Errors lose nothing: the
// pages are the kernel's.
func (m mapping) unmapInPieces() {
	const piece, pause = 256 << 10, time.Millisecond
	for at := 0; at < len(m.bytes); at += piece {
		unix.Madvise(m.bytes[at:min(at+piece, len(m.bytes))], unix.MADV_DONTNEED)
		time.Sleep(pause)
	}
	m.unmap()
}

// word returns the word at offset, which must be a multiple of 8 within the
// mapping: a mapping begins at a page, so the word is aligned.
func (m mapping) word(offset int64) *uint64 {
	_ = m.bytes[offset+7] // within bounds
	return (*uint64)(unsafe.Pointer(&m.bytes[offset]))
}

func (m mapping) load(offset int64) uint64     { return atomic.LoadUint64(m.word(offset)) }
func (m mapping) store(offset int64, w uint64) { atomic.StoreUint64(m.word(offset), w) }
func (m mapping) swap(offset int64, old, new uint64) bool {
	return atomic.CompareAndSwapUint64(m.word(offset), old, new)
}
