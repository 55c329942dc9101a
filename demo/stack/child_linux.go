package stack

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C reaches only us and
// we stop it in order, and lets the kernel end it should we die without a chance to.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
