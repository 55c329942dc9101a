package baseline

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/tidemark/tidemark/baseline/season"
)

// Disk keeps what a large fleet needs only now and then; an *os.File is one. What is on it is of no
// use to another process: the saved state is what Save writes.
type Disk interface {
	io.ReaderAt
	io.WriterAt
}

// pager moves the cold parts of series to disk and back, each in a record of one size.
type pager struct {
	disk     Disk
	resident int // Up to so many series, all stay in memory.
	stride   int64
	on       atomic.Bool
	failures atomic.Int64

	mu   sync.Mutex
	next uint32 // The record after the last one.
	free []uint32

	idle sync.Pool // of *cold, of any shape
}

// nowhere is the place of a series that has no record.
const nowhere = 0

// PageTo lets the engine keep on disk what it needs only now and then, once it has more than resident
// series. It must be called before the first series is added, and disk must be empty.
func (e *Engine) PageTo(disk Disk, resident int) {
	p := &e.pager
	p.disk, p.resident = disk, resident
	p.stride = int64(coldBytes(season.NewShape(e.cal, &e.params, 1000)))
	p.next = nowhere + 1
}

// PageFailures is how many reads and writes of the disk failed. A series that could not be read learns its
// season anew; one that could not be written stays in memory.
func (e *Engine) PageFailures() int64 { return e.pager.failures.Load() }

// grown notes how many series there are and says whether they are too many for memory from now on; the engine's
// lock is held.
func (p *pager) grown(n int) bool {
	if p.disk == nil || n <= p.resident || p.on.Load() {
		return false
	}
	p.on.Store(true)
	return true
}

func (p *pager) record() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free = p.free[:n-1]
		return r
	}
	r := p.next
	p.next++
	return r
}

func (p *pager) release(r uint32) {
	if r == nowhere {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, r)
}

// get is a cold of a shape, with any content.
func (p *pager) get(sh *season.Shape) *cold {
	c, _ := p.idle.Get().(*cold)
	if c == nil {
		return newCold(sh, make([]uint64, p.stride/8))
	}
	sh.Place(c.buf[ledgerBytes:], &c.Archive)
	return c
}

// fresh is an empty cold of a shape.
func (p *pager) fresh(sh *season.Shape) *cold {
	if !p.on.Load() {
		return newCold(sh, nil)
	}
	c := p.get(sh)
	c.reset()
	return c
}

// page brings the cold part into memory; the lock of the series is held until unlock may page it out.
func (s *Series) page() *cold {
	if s.cold != nil {
		return s.cold
	}
	p := &s.name.engine.pager
	c := p.get(s.model.Shape)
	s.cold, s.model.Archive = c, &c.Archive
	n := coldBytes(s.model.Shape)
	if _, err := p.disk.ReadAt(c.buf[:n], int64(s.place)*p.stride); err != nil {
		p.failures.Add(1)
		s.name.engine.log.Error("A baseline can't be read back from disk and is learned anew", "watch", s.Watch(), "series", s.labelSet().String(), "err", err)
		c.reset()
		s.clear()
	}
	return c
}

// touch is page for a change.
func (s *Series) touch() *cold {
	c := s.page()
	c.dirty = true
	return c
}

// lock takes the series; the cold part comes with page.
func (s *Series) lock() { s.mu.Lock() }

// unlock gives the series back, and pages the cold part out when there are many series.
func (s *Series) unlock() {
	if s.cold != nil && s.name.engine.pager.on.Load() {
		s.pageOut()
	}
	s.mu.Unlock()
}

// putAway pages out what a load has just made.
func (s *Series) putAway() {
	s.lock()
	defer s.unlock()
}

func (s *Series) pageOut() {
	p, c := &s.name.engine.pager, s.cold
	if s.place == nowhere {
		s.place, c.dirty = p.record(), true
	}
	if c.dirty {
		if _, err := p.disk.WriteAt(c.buf[:coldBytes(s.model.Shape)], int64(s.place)*p.stride); err != nil {
			if p.failures.Add(1) == 1 {
				s.name.engine.log.Error("Baselines can't be written to disk and stay in memory", "err", err)
			}
			return
		}
		c.dirty = false
	}
	s.cold, s.model.Archive = nil, nil
	if int64(len(c.buf)) == p.stride { // One that was made for paging, or of the commonest shape.
		p.idle.Put(c)
	}
}
