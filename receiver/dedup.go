package receiver

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// settleTime is how late the second member of an Alertmanager pair may repeat what the first one sent
// (peer timeout 15 s per member, retries within a group interval).
const settleTime = 5 * time.Minute

type dedupKey [16]byte

// dedup recognises alerts that were delivered before, by receiver, group key, labels, start and status: Alertmanager sends a group whole at each flush, its pairs send twice, its retries and restarts
// repeat. Keys live at least the retention, in two generations; when the younger one holds half the
// allowed keys it becomes the older one early, so that the memory is bounded.
//
// One case is let through: an alert that fires again with its old start, more than settleTime after its
// resolve. Alertmanager sends that when it lost sight of Prometheus for longer than resolve_timeout, and
// dropping it would hide a fault.
type dedup struct {
	mu           sync.Mutex
	young, old   map[dedupKey]int64 // unix seconds of delivery
	rotatedAtSec int64
}

func newDedup() *dedup {
	return &dedup{young: map[dedupKey]int64{}, old: map[dedupKey]int64{}}
}

// keyOf hashes receiver, group key, labels, start and status.
func keyOf(msg *webhook, a *webhookAlert, status string) dedupKey {
	b := make([]byte, 0, 512)
	for _, s := range []string{msg.receiver, msg.groupKey, status} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, a.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.startsAt.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(a.startsAt.Nanosecond()))
	sum := sha256.Sum256(b)
	return dedupKey(sum[:16])
}

func (d *dedup) seen(k dedupKey) (int64, bool) {
	if t, ok := d.young[k]; ok {
		return t, true
	}
	t, ok := d.old[k]
	return t, ok
}

// isNew says whether an alert was not delivered before; mu is held.
func (d *dedup) isNew(msg *webhook, a *webhookAlert, k dedupKey, now time.Time) bool {
	at, ok := d.seen(k)
	if !ok || a.status != string(model.AlertFiring) {
		return !ok
	}
	resolved, ok := d.seen(keyOf(msg, a, string(model.AlertResolved)))
	return ok && resolved >= at && now.Unix()-resolved > int64(settleTime/time.Second)
}

// unseen gives the alerts that were not delivered before, without taking note of them: that comes when
// they are durable.
func (d *dedup) unseen(msg *webhook, alerts []*webhookAlert, now time.Time) []*webhookAlert {
	return d.filter(msg, alerts, now, nil)
}

// claim takes note of the alerts and gives those that nobody claimed before.
func (d *dedup) claim(c *WebhookConfig, msg *webhook, alerts []*webhookAlert, now time.Time) []*webhookAlert {
	return d.filter(msg, alerts, now, c)
}

func (d *dedup) filter(msg *webhook, alerts []*webhookAlert, now time.Time, claim *WebhookConfig) []*webhookAlert {
	for _, a := range alerts {
		if a.key == (dedupKey{}) {
			a.key = keyOf(msg, a, a.status)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var fresh []*webhookAlert
	for _, a := range alerts {
		if !d.isNew(msg, a, a.key, now) {
			continue
		}
		fresh = append(fresh, a)
		if claim != nil {
			d.rotate(claim, now.Unix())
			d.young[a.key] = now.Unix()
		}
	}
	return fresh
}

func (d *dedup) rotate(c *WebhookConfig, now int64) {
	if d.rotatedAtSec == 0 {
		d.rotatedAtSec = now
	}
	due := now-d.rotatedAtSec >= int64(time.Duration(c.DedupRetention)/time.Second)
	if due || len(d.young) >= max(1, c.DedupMaxKeys/2) {
		d.old, d.young, d.rotatedAtSec = d.young, map[dedupKey]int64{}, now
	}
}

func (d *dedup) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.young) + len(d.old)
}

const (
	dedupVersion   = 1
	dedupEntrySize = 16 + 8
)

// snapshot is: version 1 byte, rotation time 8, number of young keys 8, then young and old entries of key
// and time.
func (d *dedup) snapshot() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := make([]byte, 0, 17+dedupEntrySize*(len(d.young)+len(d.old)))
	b = append(b, dedupVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(d.rotatedAtSec))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(d.young)))
	for _, m := range []map[dedupKey]int64{d.young, d.old} {
		for k, t := range m {
			b = append(b, k[:]...)
			b = binary.LittleEndian.AppendUint64(b, uint64(t))
		}
	}
	return b
}

func (d *dedup) restore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if len(b) < 17 || b[0] != dedupVersion || (len(b)-17)%dedupEntrySize != 0 {
		return errors.New("stored keys of known alerts have a form this release does not know")
	}
	rotated := int64(binary.LittleEndian.Uint64(b[1:]))
	young := binary.LittleEndian.Uint64(b[9:])
	b = b[17:]
	if young > uint64(len(b)/dedupEntrySize) {
		return errors.New("stored keys of known alerts are damaged")
	}
	fresh := newDedup()
	fresh.rotatedAtSec = rotated
	for i := uint64(0); len(b) > 0; i++ {
		m := fresh.young
		if i >= young {
			m = fresh.old
		}
		m[dedupKey(b[:16])] = int64(binary.LittleEndian.Uint64(b[16:]))
		b = b[dedupEntrySize:]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.young, d.old, d.rotatedAtSec = fresh.young, fresh.old, fresh.rotatedAtSec
	return nil
}
