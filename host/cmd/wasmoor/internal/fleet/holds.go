package fleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// pins returns the digests of the versions that are kept, sorted.
func (s *state) pins() (digests []string) {
	for _, v := range s.versions {
		if v.Pinned {
			digests = append(digests, v.Digest)
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}

// absentPins are those of the file that nothing on the server has, or will have: a pin
// keeps what is there.
func (w *work) absentPins() (digests []string) {
	for _, digest := range w.want.Pins {
		if _, there := w.have.version(digest); !there && digest != w.want.Digest {
			digests = append(digests, digest)
		}
	}
	return digests
}

// pinning returns which digests are to be kept, and which no longer.
func (w *work) pinning() (pin, unpin []string) {
	have, absent := w.have.pins(), w.absentPins()
	for _, digest := range w.want.Pins {
		if !slices.Contains(have, digest) && !slices.Contains(absent, digest) {
			pin = append(pin, digest)
		}
	}
	for _, digest := range have {
		if !slices.Contains(w.want.Pins, digest) {
			unpin = append(unpin, digest)
		}
	}
	return pin, unpin
}

// String writes a pause for a table; "" = none.
func (p *pause) String() string {
	switch {
	case p == nil:
		return ""
	case p.Writes:
		return fmt.Sprintf("writes, retry after %d s", p.RetryAfter)
	}
	return fmt.Sprintf("requests, retry after %d s", p.RetryAfter)
}

// holds calls add with each pin, binding and hold that differs.
func (w *work) holds(add func(what, from, to string)) {
	pin, unpin := w.pinning()
	for _, digest := range pin {
		add("pin", "", plugin.Digest(digest).Short())
	}
	for _, digest := range unpin {
		add("pin", plugin.Digest(digest).Short(), "")
	}
	for _, alias := range bothKeys(w.have.bound, w.want.Bind) {
		add("bind "+alias, w.have.bound[alias], w.want.Bind[alias])
	}
	add("egress", off(w.have.egressOff), off(w.want.EgressOff))
	add("pause", w.have.pause.String(), w.want.Pause.String())
}

func off(is bool) string {
	if is {
		return "off"
	}
	return ""
}

// stop ends what is to be ended, before the plugin serves something else.
func (w *work) stop(ctx context.Context, c *client.Client) error {
	if w.want.EgressOff && !w.have.egressOff {
		if err := c.Egress(ctx, w.name, true); err != nil {
			return err
		}
	}
	if w.want.Pause == nil || w.want.Pause.String() == w.have.pause.String() {
		return nil
	}
	_, err := c.Pause(ctx, w.name, adminapi.Pause{Writes: w.want.Pause.Writes, RetryAfter: int(w.want.Pause.RetryAfter)})
	return err
}

// keep pins and unpins versions.
func (w *work) keep(ctx context.Context, c *client.Client) error {
	pin, unpin := w.pinning()
	for _, v := range w.have.versions {
		switch {
		case v.Pinned && slices.Contains(unpin, v.Digest):
			if err := c.Pin(ctx, w.name, adminapi.Pin{Version: v.Number, Unpin: true}); err != nil {
				return err
			}
		case slices.Contains(pin, v.Digest): // the newest of those with the module
			if err := c.Pin(ctx, w.name, adminapi.Pin{Version: v.Number}); err != nil {
				return err
			}
			pin = slices.DeleteFunc(pin, func(digest string) bool { return digest == v.Digest })
		}
	}
	return nil
}

// resume lets go again what the file does not stop, when all else is as it says.
func (w *work) resume(ctx context.Context, c *client.Client) error {
	if w.have.egressOff && !w.want.EgressOff {
		if err := c.Egress(ctx, w.name, false); err != nil {
			return err
		}
	}
	if w.have.pause == nil || w.want.Pause != nil {
		return nil
	}
	return c.Resume(ctx, w.name)
}
