package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, version 2 (go.etcd.io/bbolt internal/common). Numbers have the byte order of
// the machine.
//
//	page    = id 8 | flags 2 | count 2 | overflow 4 | elements
//	meta    = magic 4 | version 4 | page size 4 | flags 4 | root bucket 16 | freelist 8 | pages 8 | tx 8 | fnv64a 8
//	leaf    = flags 4 | position 4 | key size 4 | value size 4
//	branch  = position 4 | key size 4 | page 8
//	bucket  = root page 8 | sequence 8, and an inline page when the root is 0
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltHeader     = 16
	boltMetaSize   = 64
	boltElement    = 16
	boltBucket     = 16
	flagBranch     = 0x01
	flagLeaf       = 0x02
	flagFreelist   = 0x10
	leafIsBucket   = 0x01
	noFreelist     = ^uint64(0)
	maxBucketDepth = 8
)

// checkFile walks every page that bbolt would use and says what is wrong with it. bbolt maps the file into
// memory and trusts it: a damaged page can make it read outside the map, which no program survives, or
// loop for ever. Values have checksums of their own.
func checkFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return err
	}
	return checkBolt(f, st.Size())
}

func checkBolt(f io.ReaderAt, size int64) error {
	m, err := newestMeta(f)
	if err != nil {
		return err
	}
	if m.pages < 4 || m.pages > uint64(size)/uint64(m.pageSize) {
		return fmt.Errorf("it has %d bytes, its %d pages of %d bytes need more", size, m.pages, m.pageSize)
	}
	w := &boltWalk{f: f, boltMeta: m, used: map[uint64]bool{}}
	if err := w.page(m.root, nil, 0); err != nil {
		return err
	}
	return w.freed()
}

type boltMeta struct {
	pageSize                  uint32
	root, freelist, pages, tx uint64
}

// newestMeta reads the two meta pages and gives the newer one of those with a good checksum.
func newestMeta(f io.ReaderAt) (m boltMeta, err error) {
	ok := false
	for _, at := range []int64{0, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16} {
		var b [boltHeader + boltMetaSize]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			continue
		}
		got, good := readMeta(b[boltHeader:])
		if good && (at == 0 || at == int64(got.pageSize)) && (!ok || got.tx > m.tx) {
			m, ok = got, true
		}
	}
	if !ok {
		return m, errors.New("it has no good meta page")
	}
	return m, nil
}

func readMeta(b []byte) (m boltMeta, ok bool) {
	e := binary.NativeEndian
	h := fnv.New64a()
	_, _ = h.Write(b[:boltMetaSize-8])
	m = boltMeta{pageSize: e.Uint32(b[8:]), root: e.Uint64(b[16:]), freelist: e.Uint64(b[32:]), pages: e.Uint64(b[40:]), tx: e.Uint64(b[48:])}
	ok = e.Uint32(b) == boltMagic && e.Uint32(b[4:]) == boltVersion && e.Uint64(b[56:]) == h.Sum64() &&
		m.pageSize >= 512 && m.pageSize <= 1<<16
	return m, ok
}

type boltWalk struct {
	f io.ReaderAt
	boltMeta
	used map[uint64]bool
}

// read gives a page with its overflow pages.
func (w *boltWalk) read(id uint64) ([]byte, error) {
	if id < 2 || id >= w.pages {
		return nil, fmt.Errorf("page %d is outside the file", id)
	}
	at := int64(id) * int64(w.pageSize)
	var head [boltHeader]byte
	if _, err := w.f.ReadAt(head[:], at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head[:]) != id || id+overflow >= w.pages {
		return nil, fmt.Errorf("page %d has a damaged header", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	b := make([]byte, (overflow+1)*uint64(w.pageSize))
	if _, err := w.f.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, nil
}

// page walks a page and what is below it. first is the key that its parent has for it.
func (w *boltWalk) page(id uint64, first []byte, depth int) error {
	b, err := w.read(id)
	if err != nil {
		return err
	}
	if err := w.elements(b, first, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (w *boltWalk) elements(b, first []byte, depth int) error {
	e := binary.NativeEndian
	flags, count := e.Uint16(b[8:]), int(e.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf {
		return fmt.Errorf("its kind is %#x", flags)
	}
	if boltHeader+count*boltElement > len(b) || flags == flagBranch && count == 0 || depth > 64 {
		return fmt.Errorf("it has %d elements", count)
	}
	var last []byte
	for i := range count {
		at := boltHeader + i*boltElement
		el := b[at:]
		pos, ksize, vsize := uint64(e.Uint32(el)), uint64(e.Uint32(el[4:])), uint64(0)
		if flags == flagLeaf {
			pos, ksize, vsize = uint64(e.Uint32(el[4:])), uint64(e.Uint32(el[8:])), uint64(e.Uint32(el[12:]))
		}
		start := uint64(at) + pos
		if start < uint64(boltHeader+count*boltElement) || start+ksize+vsize > uint64(len(b)) {
			return fmt.Errorf("element %d lies outside", i)
		}
		key, val := b[start:start+ksize], b[start+ksize:start+ksize+vsize]
		if i == 0 && bytes.Compare(key, first) < 0 || i > 0 && bytes.Compare(key, last) <= 0 {
			return fmt.Errorf("key %d is out of order", i)
		}
		last = key
		var err error
		switch {
		case flags == flagBranch:
			err = w.page(e.Uint64(el[8:]), key, depth+1)
		case e.Uint32(el)&leafIsBucket != 0:
			err = w.bucket(val, depth)
		case e.Uint32(el) != 0:
			err = fmt.Errorf("element %d has flags %#x", i, e.Uint32(el))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *boltWalk) bucket(val []byte, depth int) error {
	if len(val) < boltBucket || depth > maxBucketDepth*8 {
		return errors.New("a bucket is damaged")
	}
	if root := binary.NativeEndian.Uint64(val); root != 0 {
		return w.page(root, nil, depth+1)
	}
	if len(val) < boltBucket+boltHeader {
		return errors.New("a bucket is damaged")
	}
	return w.elements(val[boltBucket:], nil, depth+1)
}

// freed checks that no free page is in use: bbolt would write over it.
func (w *boltWalk) freed() error {
	if w.freelist == noFreelist {
		return nil
	}
	b, err := w.read(w.freelist)
	if err != nil {
		return err
	}
	e := binary.NativeEndian
	if e.Uint16(b[8:]) != flagFreelist {
		return fmt.Errorf("page %d is not the list of free pages", w.freelist)
	}
	ids, count := b[boltHeader:], uint64(e.Uint16(b[10:]))
	if count == 0xFFFF { // more than fit in two bytes: the first number is the count
		count, ids = e.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return errors.New("the list of free pages is damaged")
	}
	last := uint64(1)
	for i := range count {
		id := e.Uint64(ids[i*8:])
		if id <= last || id >= w.pages || w.used[id] {
			return fmt.Errorf("page %d is free and in use", id)
		}
		last = id
	}
	return nil
}
