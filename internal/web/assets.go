package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// asset is one embedded file, compressed once at the start.
type asset struct {
	kind, tag  string
	plain, zip []byte
}

// assets reads the embedded files.
func assets() (map[string]asset, error) {
	out := map[string]asset{}
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		kind := mime.TypeByExtension(path.Ext(name))
		if strings.HasPrefix(path.Base(name), "LICENSE") || kind == "" {
			kind = "text/plain; charset=utf-8"
		}
		sum := sha256.Sum256(data)
		out[strings.TrimPrefix(name, "static/")] = asset{kind: kind, tag: fmt.Sprintf(`"%x"`, sum[:8]), plain: data, zip: compress(data, gzip.BestCompression)}
		return nil
	})
	return out, err
}

func compress(data []byte, level int) []byte {
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		return data
	}
	_, _ = zw.Write(data)
	_ = zw.Close()
	return b.Bytes()
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// static answers with an embedded file, compressed when the client takes it.
func (u *UI) static(w http.ResponseWriter, r *http.Request) {
	a, ok := u.files[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", a.tag)
	data := a.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", strings.TrimSuffix(a.tag, `"`)+`-gzip"`)
		data = a.zip
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
