package state

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/snappy"
)

// A segment is a header and then frames:
//
//	header  = 2 × (magic 8 | version 1 | salt 8 | crc32c 4)
//	frame   = marker 4 | length 4 | crc32c 4 | kind 1 | flags 1 | payload
//
// Numbers are little endian. length counts the stored payload. The checksum is Castagnoli (the one of
// RFC 3720, with hardware support), over salt, length, kind, flags and payload. The marker lets a
// reader find the next frame after a damaged one. The salt is random for each segment, so that bytes
// sent by a stranger and stored as payload can never look like a frame of ours.
const (
	segmentMagic   = "TMKWAL\r\n"
	segmentVersion = 1
	headerCopy     = len(segmentMagic) + 1 + saltSize + 4
	headerSize     = 2 * headerCopy
	saltSize       = 8
	frameHeader    = 4 + 4 + 4 + 1 + 1
	frameMarker    = "\xf7\xa3\xfe\x1d"

	flagSnappy    = byte(1)
	compressAbove = 512 // bytes; below it snappy saves nothing worth its time
)

// kindProbe marks a record that says nothing: written to find out whether the disk takes writes again.
const kindProbe byte = 0

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("frame ends before its length")
	errDamaged = errors.New("frame checksum does not match")
	errVersion = errors.New("segment has a version this release does not know")
	errHeader  = errors.New("segment header is damaged")
)

func newSegmentHeader() ([]byte, [saltSize]byte) {
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails since Go 1.24
	one := make([]byte, 0, headerSize)
	one = append(one, segmentMagic...)
	one = append(one, segmentVersion)
	one = append(one, salt[:]...)
	one = binary.LittleEndian.AppendUint32(one, crc32.Checksum(one, castagnoli))
	return append(one, one...), salt
}

// readSegmentHeader gives the salt; either of the two copies is enough.
func readSegmentHeader(b []byte) (salt [saltSize]byte, err error) {
	if len(b) < headerSize {
		return salt, errTorn
	}
	for i := range 2 {
		c := b[i*headerCopy : (i+1)*headerCopy]
		body, sum := c[:headerCopy-4], binary.LittleEndian.Uint32(c[headerCopy-4:])
		if string(body[:len(segmentMagic)]) != segmentMagic || crc32.Checksum(body, castagnoli) != sum {
			continue
		}
		if v := body[len(segmentMagic)]; v != segmentVersion {
			return salt, fmt.Errorf("%w: %d", errVersion, v)
		}
		copy(salt[:], body[len(segmentMagic)+1:])
		return salt, nil
	}
	return salt, errHeader
}

// record is what waits for its place in a segment: everything but the checksum, which needs the salt.
type record struct {
	kind, flags byte
	payload     []byte
}

func newRecord(kind byte, payload []byte) record {
	if len(payload) > compressAbove {
		if c := snappy.Encode(nil, payload); len(c) < len(payload)*9/10 {
			return record{kind, flagSnappy, c}
		}
	}
	// A copy: an Append whose context ended has returned, and its record still waits for the disk.
	return record{kind, 0, bytes.Clone(payload)}
}

func (r record) size() int { return frameHeader + len(r.payload) }

func (r record) append(b []byte, salt [saltSize]byte) []byte {
	b = append(b, frameMarker...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.payload)))
	b = binary.LittleEndian.AppendUint32(b, frameSum(salt, r.kind, r.flags, r.payload))
	b = append(b, r.kind, r.flags)
	return append(b, r.payload...)
}

func frameSum(salt [saltSize]byte, kind, flags byte, payload []byte) uint32 {
	var head [saltSize + 4 + 2]byte
	copy(head[:], salt[:])
	binary.LittleEndian.PutUint32(head[saltSize:], uint32(len(payload)))
	head[saltSize+4], head[saltSize+5] = kind, flags
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
}

// readFrame reads the frame at the start of b. size is its length in the file.
func readFrame(b []byte, salt [saltSize]byte) (r record, size int, err error) {
	if len(b) < frameHeader {
		return r, 0, errTorn
	}
	if string(b[:4]) != frameMarker {
		return r, 0, errDamaged
	}
	n := int64(binary.LittleEndian.Uint32(b[4:]))
	if n > int64(len(b)-frameHeader) {
		return r, 0, errTorn
	}
	r = record{kind: b[12], flags: b[13], payload: b[frameHeader : frameHeader+n]}
	if frameSum(salt, r.kind, r.flags, r.payload) != binary.LittleEndian.Uint32(b[8:]) {
		return r, 0, errDamaged
	}
	return r, frameHeader + int(n), nil
}

// open undoes the compression. Only records with a good checksum come here, so the length inside the
// snappy block is one that we wrote; it is held to the limit all the same.
func (r record) open(limit int) ([]byte, error) {
	if r.flags&flagSnappy == 0 {
		return r.payload, nil
	}
	n, err := snappy.DecodedLen(r.payload)
	if err != nil || n > limit {
		return nil, fmt.Errorf("record declares %d bytes, at most %d are allowed", n, limit)
	}
	return snappy.Decode(nil, r.payload)
}

// nextFrame gives the offset of the first whole frame in b, or -1.
func nextFrame(b []byte, salt [saltSize]byte) int {
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte(frameMarker))
		if i < 0 {
			return -1
		}
		at += i
		if _, _, err := readFrame(b[at:], salt); err == nil {
			return at
		}
	}
}
