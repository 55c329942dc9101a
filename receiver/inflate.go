package receiver

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// maxRatio is how much larger than its compressed form a body may be. Honest snappy reaches 21 at most;
// gzip of log lines stays under 30, and only a bomb reaches 1000.
const maxRatio = 32

// decodedLimit bounds a decompressed body. Small bodies are allowed a floor: 200 bytes of gzip may well
// hold 20 KiB of one repeated line.
func decodedLimit(c *Config, received int) int64 {
	return min(int64(c.MaxDecoded), max(int64(received)*maxRatio, 1<<20))
}

// inflate undoes the Content-Encoding.
func inflate(c *Config, encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		return gunzip(c, body)
	case "snappy":
		return unsnap(c, body)
	}
	return nil, refuse(http.StatusUnsupportedMediaType, "Content-Encoding is %.100s, must be gzip, snappy or none", encoding)
}

func gunzip(c *Config, body []byte) ([]byte, error) {
	limit := decodedLimit(c, len(body))
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is not gzip: %v", err)
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(z, limit+1))
	if n > limit {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body of %d bytes gives more than %d bytes when decompressed", len(body), limit)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, refuse(http.StatusBadRequest, "the gzip body ends early")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is not gzip: %v", err)
	}
	return out.Bytes(), nil
}

// unsnap decodes snappy's block format.
func unsnap(c *Config, body []byte) ([]byte, error) {
	if _, err := checkSnappy(c, body); err != nil {
		return nil, err
	}
	out, err := snappy.Decode(nil, body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is not a snappy block")
	}
	return out, nil
}

// checkSnappy gives the length that a block declares. It is checked before any memory is taken: 21 bytes can
// declare 4 GiB (CVE-2026-42154).
func checkSnappy(c *Config, body []byte) (int, error) {
	n, err := snappy.DecodedLen(body)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "the body is not a snappy block")
	}
	if limit := min(int64(c.MaxDecoded), int64(len(body))*maxRatio); int64(n) > limit {
		return 0, refuse(http.StatusRequestEntityTooLarge, "the snappy body of %d bytes declares %d bytes, at most %d are allowed", len(body), n, limit)
	}
	return n, nil
}
