//go:build !unix

package project

import "os/exec"

// ownGroup leaves the command as it is: without process groups the end of its
// context ends the shell, and what that started ends by itself.
func ownGroup(*exec.Cmd) {}

// endGroup has nothing to do here.
func endGroup(*exec.Cmd) {}
