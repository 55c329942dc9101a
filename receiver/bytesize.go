package receiver

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ByteSize is a number of bytes, written in a configuration as 32MiB, 256KiB, 1GiB or 4096B.
type ByteSize int64

// Units of ByteSize.
const (
	KiB ByteSize = 1 << 10
	MiB ByteSize = 1 << 20
	GiB ByteSize = 1 << 30
)

func (b ByteSize) String() string {
	switch {
	case b >= GiB && b%GiB == 0:
		return fmt.Sprintf("%dGiB", b/GiB)
	case b >= MiB && b%MiB == 0:
		return fmt.Sprintf("%dMiB", b/MiB)
	case b >= KiB && b%KiB == 0:
		return fmt.Sprintf("%dKiB", b/KiB)
	}
	return fmt.Sprintf("%dB", int64(b))
}

// ParseByteSize reads a size: a whole number and one of B, KiB, MiB, GiB.
func ParseByteSize(s string) (ByteSize, error) {
	unit, digits := ByteSize(0), ""
	for _, u := range []struct {
		suffix string
		size   ByteSize
	}{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"B", 1}} {
		if d, ok := strings.CutSuffix(s, u.suffix); ok {
			unit, digits = u.size, d
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if unit == 0 || err != nil || n < 0 || n > (1<<62)/int64(unit) {
		return 0, fmt.Errorf("size %q is not a whole number with B, KiB, MiB or GiB, such as 32MiB", s)
	}
	return ByteSize(n) * unit, nil
}

// UnmarshalYAML reads a size.
func (b *ByteSize) UnmarshalYAML(n *yaml.Node) error {
	size, err := ParseByteSize(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*b = size
	return nil
}

// MarshalYAML writes a size as it is read.
func (b ByteSize) MarshalYAML() (any, error) { return b.String(), nil }
