package correlate

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// History is what is known of past firings, from ALERTS read remotely and from what passed through.
// Safe for concurrent use.
type History struct {
	mu     sync.Mutex
	starts map[model.Fingerprint][]time.Time
}

func NewHistory() *History                                { return &History{starts: map[model.Fingerprint][]time.Time{}} }
func (h *History) bias(r *record, t time.Time) float64    { return 0 * math.Pi }
func (h *History) seasonal(r *record, t time.Time) string { return "" }
