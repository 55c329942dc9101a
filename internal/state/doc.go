// Package state keeps what must outlive the process: a write-ahead log of everything that was
// acknowledged, and a store of small values (incidents, runbook calls, feedback).
//
// The two share one contract: a call that returned nil is on disk, a damaged file never stops the
// start, and what was damaged is set aside, counted and reported rather than guessed at.
//
//	acknowledge ─▶ Log (group commit, fsync) ─▶ the room's own memory ─▶ checkpoint ─▶ Store
//	restart     ─▶ Store ─▶ Replay of the log after the checkpoint ─▶ the room's own memory
package state
