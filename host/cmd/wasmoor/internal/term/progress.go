package term

import (
	"fmt"
	"io"
	"time"
)

// Step tells one step of a change and the time it took.
func (t *Terminal) Step(name string, took time.Duration, detail string) {
	if detail != "" {
		detail = "  " + t.Paint(t.Stderr, Grey, detail)
	}
	t.Note("  %-10s %9s%s", name, Millis(took), detail)
}

// Notices tells what is right and yet worth knowing.
func (t *Terminal) Notices(list []string) {
	for _, text := range list {
		t.Note("%s %s", t.Paint(t.Stderr, Yellow, "notice"), text)
	}
}

// Progress returns what shows a person how far a reading is, in bytes, nil for a
// script.
func (t *Terminal) Progress() func(done, total int64) {
	if !IsTerminal(t.Stderr) {
		return nil
	}
	shown := time.Now()
	return func(done, total int64) {
		if time.Since(shown) < 100*time.Millisecond && done < total {
			return
		}
		shown = time.Now()
		fmt.Fprintf(t.Stderr, "\r\x1b[K  %s of %s", Size(done), Size(total))
		if done >= total {
			fmt.Fprint(t.Stderr, "\r\x1b[K")
		}
	}
}

// Passing returns what reads from r, and shows a person how many bytes have passed of all,
// 0 = nobody knows.
func (t *Terminal) Passing(r io.Reader, all int64) io.Reader {
	return &flow{Reader: r, all: all, show: t.Progress()}
}

type flow struct {
	io.Reader

	n, all int64
	show   func(done, total int64)
}

func (f *flow) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	f.n += int64(n)
	if f.show != nil {
		end := max(f.all, f.n+1)
		if err != nil {
			end = f.n
		}
		f.show(f.n, end)
	}
	return n, err
}
