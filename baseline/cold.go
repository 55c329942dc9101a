package baseline

import (
	"unsafe"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
)

// ledger is the part of fixed size of what a series needs only now and then: when a slot of the day or a
// block ends, and when somebody asks about another time than now. It holds numbers alone.
type ledger struct {
	Counts [detect.Count]detect.Counts
	Gap    detect.Counts
	Look   outlook
	Trend  trend
}

// cold is the part of a series that may lie on disk: one buffer, laid out as a ledger and an archive.
type cold struct {
	*ledger
	season.Archive
	buf   []byte
	dirty bool // it has changed since it came from disk
}

// ledgerBytes is the size of a ledger, a multiple of eight.
const ledgerBytes = (unsafe.Sizeof(ledger{}) + 7) &^ 7

func coldBytes(sh *season.Shape) int { return int(ledgerBytes) + sh.ArchiveBytes() }

// newCold lays out a buffer of coldBytes or more, which keeps what it holds; nil makes an empty one.
func newCold(sh *season.Shape, words []uint64) *cold {
	fresh := words == nil
	if fresh {
		words = make([]uint64, coldBytes(sh)/8)
	}
	c := &cold{buf: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))}
	c.ledger = (*ledger)(unsafe.Pointer(unsafe.SliceData(words))) // A ledger holds no pointers, and words are aligned for it.
	sh.Place(c.buf[ledgerBytes:], &c.Archive)
	if fresh {
		c.Clear()
	}
	return c
}

// reset empties a cold that was used before.
func (c *cold) reset() {
	*c.ledger = ledger{}
	c.Clear()
}
