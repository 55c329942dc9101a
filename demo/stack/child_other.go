//go:build !linux

package stack

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C reaches only us and
// we stop it in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
