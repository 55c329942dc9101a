package state

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// sizeFits refuses a file that is shorter than its pages say: bbolt maps the file into memory, and
// touching a page beyond its end kills the process without a chance to recover.
func sizeFits(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
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
	pages, pageSize, err := newestMeta(f)
	if err != nil {
		return err
	}
	if need := int64(pages) * int64(pageSize); st.Size() < need {
		return fmt.Errorf("file has %d bytes, its pages need %d", st.Size(), need)
	}
	return nil
}

// newestMeta reads the high-water mark (pages in use) of the meta page with the higher transaction id.
// Layout of bbolt's meta page: 16 bytes of page header, then magic 4, version 4, page size 4, flags 4,
// root bucket 16, freelist 8, high-water mark 8, transaction 8, checksum 8.
func newestMeta(f io.ReaderAt) (pages uint64, pageSize uint32, err error) {
	const magic, header = 0xED0CDAED, 16
	var newest uint64
	read := func(at int64) bool {
		var b [header + 64]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return false
		}
		m := b[header:]
		if binary.NativeEndian.Uint32(m) != magic {
			return false
		}
		size, tx := binary.NativeEndian.Uint32(m[8:]), binary.NativeEndian.Uint64(m[48:])
		if pageSize == 0 || tx >= newest {
			newest, pageSize, pages = tx, size, binary.NativeEndian.Uint64(m[40:])
		}
		return true
	}
	first := read(0)
	size := int64(os.Getpagesize())
	if first && pageSize >= 512 && pageSize <= 1<<20 {
		size = int64(pageSize)
	}
	if second := read(size); !first && !second {
		return 0, 0, fmt.Errorf("it is not a store file")
	}
	if pages > 1<<40 || pageSize > 1<<20 {
		return 0, 0, fmt.Errorf("its first page is damaged")
	}
	return pages, pageSize, nil
}

// check walks all pages as bbolt's own consistency check does.
func check(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) (err error) {
		for e := range tx.Check() {
			if err == nil {
				err = e
			}
		}
		return err
	})
}
