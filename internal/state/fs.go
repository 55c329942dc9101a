package state

import (
	"io"
	"io/fs"
	"os"
)

// FS is the part of a file system that the log uses. Tests put a failing one behind it and let every
// call fail in turn. Implementations are safe for concurrent use.
type FS interface {
	MkdirAll(dir string, perm fs.FileMode) error
	ReadDir(dir string) ([]string, error) // names of plain files, sorted
	Create(name string) (File, error)     // fails when the file exists
	Open(name string) (File, error)       // for reading
	OpenWrite(name string) (File, error)  // for writing in place, made when missing
	Size(name string) (int64, error)
	Truncate(name string, size int64) error
	Remove(name string) error
	SyncDir(dir string) error
}

// File is one open file of an FS.
type File interface {
	io.Reader
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

// OS is the real file system.
type OS struct{}

var _ FS = OS{}

// MkdirAll makes a folder and its parents.
func (OS) MkdirAll(dir string, perm fs.FileMode) error { return os.MkdirAll(dir, perm) }

// ReadDir lists the plain files of a folder by name.
func (OS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Create makes a new file for writing.
func (OS) Create(name string) (File, error) {
	return asFile(os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640))
}

// Open opens a file for reading.
func (OS) Open(name string) (File, error) { return asFile(os.Open(name)) }

// OpenWrite opens a file for writing in place.
func (OS) OpenWrite(name string) (File, error) {
	return asFile(os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o640))
}

// Size gives the bytes of a file.
func (OS) Size(name string) (int64, error) {
	st, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Truncate cuts a file to size bytes.
func (OS) Truncate(name string, size int64) error { return os.Truncate(name, size) }

// Remove deletes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir makes the names in a folder durable: without it a new file may vanish with a power loss.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// asFile keeps a nil *os.File from becoming a File that is not nil.
func asFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
