package baseline

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// A block's payload is its kind and a Zstandard frame (RFC 8878) of series one after the other, each behind its length
// (u32). Series of a fleet share much, their labels first: together they take a fifth less than each by itself.
const (
	inBlock    = 16        // Series.
	blockBytes = 256 << 10 // Before compression, from which on a block ends all the same.
	maxBlock   = 4 << 20   // Before compression: what declares more is damaged.
)

// coders is how many blocks are worked on at a time.
func coders() int { return min(4, runtime.GOMAXPROCS(0)) }

// packer makes blocks. It is not safe for concurrent use.
type packer struct {
	enc *zstd.Encoder
	raw []byte
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("compress baseline state: %w", err)
	}
	return &packer{enc: enc}, nil
}

// pack makes the blocks of some series, one unless they are large.
func (p *packer) pack(all []*Series) (blocks [][]byte, err error) {
	p.raw = p.raw[:0]
	end := func() {
		if len(p.raw) > 0 {
			blocks = append(blocks, p.enc.EncodeAll(p.raw, []byte{blockRecord}))
			p.raw = p.raw[:0]
		}
	}
	for _, s := range all {
		at := len(p.raw)
		p.raw = endian.AppendUint32(p.raw, 0)
		if p.raw, err = s.encode(p.raw); err != nil {
			return nil, fmt.Errorf("encode baseline of %s: %w", s.Labels(), err)
		}
		endian.PutUint32(p.raw[at:], uint32(len(p.raw)-at-4))
		if len(p.raw) > blockBytes {
			end()
		}
	}
	end()
	return blocks, nil
}

// eachBlock gives the blocks of all series to put, in their order, until it fails. Several are made at a time.
func eachBlock(all []*Series, put func([]byte) error) error {
	type made struct {
		blocks [][]byte
		err    error
	}
	type job struct {
		series []*Series
		out    chan made
	}
	n := coders()
	jobs, queue := make(chan job), make(chan job, 2*n)
	var workers sync.WaitGroup
	defer workers.Wait()
	for range n {
		p, err := newPacker()
		if err != nil {
			close(jobs)
			return err
		}
		workers.Go(func() {
			for j := range jobs {
				blocks, err := p.pack(j.series)
				j.out <- made{blocks, err}
			}
		})
	}
	var stop atomic.Bool
	go func() {
		defer close(queue)
		defer close(jobs)
		for part := range slices.Chunk(all, inBlock) {
			if stop.Load() {
				return
			}
			j := job{part, make(chan made, 1)}
			queue <- j
			jobs <- j
		}
	}()
	var failed error
	for j := range queue {
		m := <-j.out
		if failed != nil {
			continue // Only what was begun.
		}
		failed = m.err
		for _, b := range m.blocks {
			failed = errors.Join(failed, put(b))
		}
		stop.Store(failed != nil)
	}
	return failed
}

// blocks restores blocks that are taken in one after the other, several at a time.
type blocks struct {
	engine *Engine
	jobs   chan block
	loaded atomic.Int64
	once   sync.Once
	wait   sync.WaitGroup

	mu  sync.Mutex
	bad []badBlock
}

type block struct {
	data []byte
	part Part
}

type badBlock struct {
	err  error
	part Part
}

func (e *Engine) openBlocks() *blocks {
	n := coders()
	b := &blocks{engine: e, jobs: make(chan block, n)}
	for range n {
		b.wait.Go(b.work)
	}
	return b
}

// take restores a block soon. The data is copied.
func (b *blocks) take(data []byte, part Part) { b.jobs <- block{slices.Clone(data), part} }

// close waits until all are restored.
func (b *blocks) close() {
	b.once.Do(func() {
		close(b.jobs)
		b.wait.Wait()
		slices.SortFunc(b.bad, func(x, y badBlock) int { return int(x.part.Offset - y.part.Offset) })
	})
}

func (b *blocks) work() {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
	if err == nil {
		defer dec.Close()
	}
	var raw []byte
	for j := range b.jobs {
		fail := err
		if fail == nil {
			raw, fail = dec.DecodeAll(j.data[1:], raw[:0])
		}
		if fail == nil {
			fail = b.restore(raw)
		}
		if fail != nil {
			b.mu.Lock()
			b.bad = append(b.bad, badBlock{fmt.Errorf("%w: %w", errRecord, fail), j.part})
			b.mu.Unlock()
		}
	}
}

// restore makes the series of a block. Those before one that is damaged are kept.
func (b *blocks) restore(raw []byte) error {
	for len(raw) > 0 {
		if len(raw) < 4 {
			return errLayout
		}
		n := int(endian.Uint32(raw))
		if n > len(raw)-4 {
			return errLayout
		}
		if err := b.engine.restore(raw[4 : 4+n]); err != nil {
			return err
		}
		b.loaded.Add(1)
		raw = raw[4+n:]
	}
	return nil
}
