package state_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/internal/state"
)

// memFS is a file system in memory that can lose power and fail.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memData
	dirs  map[string]bool // names whose entry is durable

	calls  int           // operations so far
	failAt func(int) int // operation number → what to do
	ops    []string
}

type memData struct {
	bytes  []byte
	synced []byte // what a power loss leaves
}

// What failAt may ask for.
const (
	opOK    = iota
	opError // the call fails and does nothing
	opShort // a write keeps half of its bytes and fails
)

var errIO = errors.New("input/output error")

func newMemFS() *memFS { return &memFS{files: map[string]*memData{}, dirs: map[string]bool{}} }

// op counts one call and says what happens to it; mu is held.
func (m *memFS) op(name string) int {
	m.calls++
	m.ops = append(m.ops, name)
	if m.failAt == nil {
		return opOK
	}
	return m.failAt(m.calls)
}

// powerLoss gives the file system as it stands after the power failed: only what was synced.
func (m *memFS) powerLoss() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemFS()
	for name, d := range m.files {
		if m.dirs[name] {
			after.files[name] = &memData{bytes: slices.Clone(d.synced), synced: slices.Clone(d.synced)}
			after.dirs[name] = true
		}
	}
	return after
}

// copied gives the file system as another process finds it after a SIGKILL: everything written.
func (m *memFS) copied() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemFS()
	for name, d := range m.files {
		after.files[name] = &memData{bytes: slices.Clone(d.bytes), synced: slices.Clone(d.bytes)}
		after.dirs[name] = true
	}
	return after
}

func (m *memFS) names(ext string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		if filepath.Ext(name) == ext {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *memFS) read(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.files[name].bytes)
}

func (m *memFS) write(name string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = &memData{bytes: slices.Clone(b), synced: slices.Clone(b)}
	m.dirs[name] = true
}

func (m *memFS) MkdirAll(string, fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("mkdir") != opOK {
		return errIO
	}
	return nil
}

func (m *memFS) ReadDir(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("readdir") != opOK {
		return nil, errIO
	}
	var names []string
	for name := range m.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) Create(name string) (state.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("create") != opOK {
		return nil, errIO
	}
	if m.files[name] != nil {
		return nil, os.ErrExist
	}
	m.files[name] = &memData{}
	return &memFile{fs: m, data: m.files[name]}, nil
}

func (m *memFS) Open(name string) (state.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("open") != opOK {
		return nil, errIO
	}
	if m.files[name] == nil {
		return nil, os.ErrNotExist
	}
	return &memFile{fs: m, data: m.files[name]}, nil
}

func (m *memFS) OpenWrite(name string) (state.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("openwrite") != opOK {
		return nil, errIO
	}
	if m.files[name] == nil {
		m.files[name] = &memData{}
	}
	return &memFile{fs: m, data: m.files[name]}, nil
}

func (m *memFS) Size(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("size") != opOK {
		return 0, errIO
	}
	return int64(len(m.files[name].bytes)), nil
}

func (m *memFS) Truncate(name string, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("truncate") != opOK {
		return errIO
	}
	m.files[name].bytes = m.files[name].bytes[:size]
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("remove") != opOK {
		return errIO
	}
	if m.files[name] == nil {
		return os.ErrNotExist
	}
	delete(m.files, name)
	delete(m.dirs, name)
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.op("syncdir") != opOK {
		return errIO
	}
	for name := range m.files {
		if filepath.Dir(name) == dir {
			m.dirs[name] = true
		}
	}
	return nil
}

type memFile struct {
	fs   *memFS
	data *memData
	at   int
}

func (f *memFile) Read(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.op("read") != opOK {
		return 0, errIO
	}
	n := copy(b, f.data.bytes[min(f.at, len(f.data.bytes)):])
	f.at += n
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch f.fs.op("write") {
	case opError:
		return 0, errIO
	case opShort:
		f.data.bytes = append(f.data.bytes, b[:len(b)/2]...)
		return len(b) / 2, errIO
	}
	f.data.bytes = append(f.data.bytes, b...)
	return len(b), nil
}

func (f *memFile) WriteAt(b []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.op("writeat") != opOK {
		return 0, errIO
	}
	if need := int(at) + len(b); need > len(f.data.bytes) {
		f.data.bytes = append(f.data.bytes, make([]byte, need-len(f.data.bytes))...)
	}
	copy(f.data.bytes[at:], b)
	return len(b), nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.op("sync") != opOK {
		return errIO
	}
	f.data.synced = slices.Clone(f.data.bytes)
	return nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.op("close") != opOK {
		return errIO
	}
	return nil
}
