package linear

import (
	"bytes"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestImageRefused(t *testing.T) {
	if _, err := NewImage(make([]byte, page+1)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an image of half a page: %v, want invalid", err)
	}
	b := NewBudget(0)
	image := imaged(t, noise(2*page))
	if _, err := NewPool(b, page, image).New(0); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an image over the limit: %v, want invalid", err)
	}
	image.Close()
	if _, err := NewPool(b, 2*page, image).New(0); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a closed image: %v, want internal", err)
	}
	if got := b.Left(); got != b.Size() {
		t.Errorf("%d bytes of the budget are gone", b.Size()-got)
	}
}

func TestImageIsACopy(t *testing.T) {
	for name, mem := range map[string][]byte{
		"empty": {}, "zeros": make([]byte, 2*page), "noise": noise(2 * page),
		"holes": append(append(make([]byte, page), noise(page)...), make([]byte, page)...),
	} {
		t.Run(name, func(t *testing.T) {
			want := bytes.Clone(mem)
			image := imaged(t, mem)
			for i := range mem {
				mem[i] = 0xee
			}
			m := opened(t, image, 4*page, newTracker)
			if image.Size() != len(want) || !bytes.Equal(m.Bytes(), want) {
				t.Error("a new memory is not as the image was given")
			}
		})
	}
}

// TestImageClosesLast closes image, pool and memory in each order: the memory
// can be put back until it is freed.
func TestImageClosesLast(t *testing.T) {
	want := noise(4 * page)
	for _, order := range []string{"mpi", "mip", "pmi", "pim", "imp", "ipm"} {
		t.Run(order, func(t *testing.T) {
			b := NewBudget(8 * page)
			image := imaged(t, want)
			p := NewPool(b, 8*page, image)
			m, err := p.New(0)
			if err != nil {
				t.Fatal(err)
			}
			m.Reallocate(4 * page)
			steps := map[rune]func(){'m': m.Free, 'p': p.Close, 'i': image.Close}
			for _, step := range order {
				if m.pool != nil {
					m.Bytes()[3*page]++
					if !m.Reset(nil) || !bytes.Equal(m.Bytes(), want) {
						t.Errorf("not put back before %c", step)
					}
				}
				steps[step]()
			}
			if image.bytes != nil || image.users != 0 {
				t.Error("the image is still there")
			}
			if got := b.Left(); got != b.Size() {
				t.Errorf("%d bytes of the budget are gone", b.Size()-got)
			}
		})
	}
}

// TestMemoriesOfOneImage has instances write at once, and makes their memories
// of each other's reservations: none sees another's bytes.
func TestMemoriesOfOneImage(t *testing.T) {
	want := noise(4 * page)
	image := imaged(t, want)
	p := NewPool(NewBudget(0), 8*page, image)
	defer p.Close()
	var users sync.WaitGroup
	for user := range byte(4) {
		users.Go(func() {
			for range 20 {
				m, err := p.New(0)
				if err != nil {
					t.Error(err)
					return
				}
				mem := m.Reallocate(4 * page)
				for range 3 {
					if !bytes.Equal(mem, want) {
						t.Error("not the image")
					}
					for at := int(user); at < len(mem); at += 3 * systemPage {
						mem[at] ^= user + 1
					}
					if !m.Reset(nil) {
						t.Error("not put back")
					}
				}
				mem = m.Reallocate(8 * page)
				if !zero(mem[4*page:]) {
					t.Error("growth is not zeros")
				}
				for at := int(user); at < len(mem); at += systemPage {
					mem[at] = user + 1
				}
				m.Free()
			}
		})
	}
	users.Wait()
}
