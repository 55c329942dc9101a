package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// State is where a proposal stands.
//
//	             ┌──────────────── resolved, no longer matches ──▶ expired ──matches again─▶ suggested
//	             │                                                    ▲
//	suggested ───┼─approve─▶ approved ──dispatch─▶ calling ──2xx─▶ called ─▶ verifying ─┬─▶ verified
//	    ▲        │              │  ▲ ▲                │  │                              └─▶ failed
//	    │        └─reject─▶ rejected└─interrupted─────┘  ├─final answer, attempts used up──▶ failed
//	    └─runbook changed───────┘  │                     │
//	                               └─approve── unknown ◀─┘ outcome not known: a person looks
//
// Every arrow is in the audit log and durable before its effect.
type State string

// States of a proposal.
const (
	StateSuggested State = "suggested"
	StateApproved  State = "approved"
	StateCalling   State = "calling"
	StateUnknown   State = "unknown"
	StateCalled    State = "called"
	StateVerifying State = "verifying"
	StateVerified  State = "verified"
	StateFailed    State = "failed"
	StateExpired   State = "expired"
	StateRejected  State = "rejected"
)

// next holds the arrows of the diagram.
var next = map[State][]State{
	StateSuggested: {StateApproved, StateRejected, StateExpired},
	StateApproved:  {StateCalling, StateSuggested, StateRejected, StateExpired, StateUnknown, StateFailed},
	StateCalling:   {StateCalled, StateApproved, StateFailed, StateUnknown, StateExpired},
	StateUnknown:   {StateApproved, StateRejected},
	StateCalled:    {StateVerifying},
	StateVerifying: {StateVerified, StateFailed},
	StateExpired:   {StateSuggested},
}

// canBecome says whether the diagram has the arrow; staying is allowed.
func (s State) canBecome(to State) bool { return s == to || slices.Contains(next[s], to) }

// Ended says whether nothing more will be done in this state.
func (s State) Ended() bool {
	return s == StateVerified || s == StateFailed || s == StateExpired || s == StateRejected
}

// Verdict is how a call ended.
type Verdict string

// Verdicts of a call.
const (
	VerdictVerified    Verdict = "verified"     // The system recovered after it.
	VerdictNotVerified Verdict = "not_verified" // It was called; no recovery in time.
	VerdictHarmful     Verdict = "harmful"      // It was called; more is out of band than before.
	VerdictFailed      Verdict = "failed"       // The endpoint did not do it.
	VerdictUnknown     Verdict = "unknown"      // Whether it took effect is not known.
)

// verdicts is every verdict, for metrics that begin at 0.
var verdicts = []Verdict{VerdictVerified, VerdictNotVerified, VerdictHarmful, VerdictFailed, VerdictUnknown}

// Proposal is one runbook for one incident. There is at most one for each pair.
type Proposal struct {
	ID      string `json:"id"`
	Runbook string `json:"runbook"`
	Mode    Mode   `json:"mode"`
	State   State  `json:"state"`
	// Incident is as it stood when the body was rendered.
	Incident Incident `json:"incident"`
	// Body is exactly what is sent; fixed at the approval.
	Body json.RawMessage `json:"body,omitempty"`
	// Problem is why the proposal cannot be approved as it stands, such as a label that is missing.
	Problem string `json:"problem,omitempty"`
	// Key is the webhook-id of every attempt, the idempotency key.
	Key string `json:"key"`
	// Digest names the runbook's configuration that was approved.
	Digest string `json:"digest"`

	SuggestedAt time.Time `json:"suggested_at"`
	ApprovedAt  time.Time `json:"approved_at,omitzero"`
	ApprovedBy  string    `json:"approved_by,omitempty"`
	FirstCallAt time.Time `json:"first_call_at,omitzero"`
	CalledAt    time.Time `json:"called_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`

	// Attempts that began since the approval.
	Attempts int `json:"attempts,omitempty"`
	// InFlight is true from before an attempt until its result is known.
	InFlight bool `json:"in_flight,omitempty"`
	// Uncertain is true once an attempt may have taken effect without an answer.
	Uncertain bool `json:"uncertain,omitempty"`
	// Status is the last HTTP status, 0 when there was none.
	Status int `json:"status,omitempty"`
	// Anomalies is how many series were out of band when it was called.
	Anomalies int     `json:"anomalies,omitempty"`
	Verdict   Verdict `json:"verdict,omitempty"`
	// Reason says why it stands where it stands, in a sentence.
	Reason string `json:"reason,omitempty"`
	// Waiting says what an approved call waits for. It is not kept over a restart.
	Waiting string `json:"waiting,omitempty"`
}

// proposalID depends on nothing but the pair, so that two replicas, and one before and after a
// restart, use the same identifier and the same key.
func proposalID(incident, runbook string) (id, key string) {
	sum := sha256.Sum256([]byte(incident + "\x00" + runbook))
	text := hex.EncodeToString(sum[:])
	return text[:16], "tidemark_" + text[:32]
}

// end closes the proposal.
func (p *Proposal) end(s State, v Verdict, reason string, now time.Time) {
	p.State, p.Verdict, p.Reason, p.EndedAt, p.InFlight = s, v, reason, now, false
}
