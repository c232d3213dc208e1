package sdktest

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// bareError is an error of a driver that is nothing but SQLite's extended code.
type bareError uint16

func (e bareError) Error() string { return fmt.Sprint("code ", uint16(e)) }
func (e bareError) Code() uint8   { return uint8(e) }

// primaryError is one whose code a method extends.
type primaryError uint8

func (e primaryError) Error() string        { return fmt.Sprint("code ", uint8(e)) }
func (e primaryError) ExtendedCode() uint16 { return uint16(e) }

// fieldError has fields.
type fieldError struct {
	Code         uint8
	ExtendedCode uint16
}

func (e fieldError) Error() string { return fmt.Sprint("code ", e.ExtendedCode) }

func TestCodeOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want uint32
	}{
		{nil, 0},
		{errors.New("no code"), 0},
		{syscall.ENOENT, 0},
		{bareError(2067), 2067},
		{primaryError(20), 20},
		{fieldError{19, 1811}, 1811},
		{fmt.Errorf("in a statement: %w", bareError(1555)), 1555},
		{errors.Join(errors.New("no code"), primaryError(13)), 13},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
