package hub

import capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"

// Of is how many sockets of a plugin are open.
type Of struct {
	Plugin string
	Open   [2]int // by stream.Kind
}

// Plugins returns that of each plugin that serves sockets.
func (s *Service) Plugins() (list []Of) {
	for _, p := range s.serving() {
		if len(capsocket.Of(p.Manifest)) == 0 {
			continue
		}
		of := Of{Plugin: p.Name}
		if d := s.desk(p.Name); d != nil {
			of.Open = d.open()
		}
		list = append(list, of)
	}
	return list
}

func (d *desk) open() (n [2]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.sockets {
		if one.isOpen() {
			n[one.kind]++
		}
	}
	return n
}

// isOpen reports whether the socket has a connection. The caller holds the desk's mu.
func (one *sock) isOpen() bool { return one.stream != nil && !one.over }

// Totals are counts since the start, of all plugins.
type Totals struct {
	Waiting              int64 // events that wait or are being handled, now
	Handled, Failed      int64 // events of clients
	Published, Delivered int64 // events on topics, and those that went to followers
	Resumed, Reset       int64 // event streams that came back, and those that were told of a gap
	Trimmed              int64 // kept events that were removed
}

// Totals returns what was counted.
func (s *Service) Totals() Totals {
	c := &s.counts
	failed := c.failed.Load() // first: each is counted as handled before
	return Totals{
		Waiting: s.events.Load(), Handled: c.handled.Load() - failed, Failed: failed, Published: c.published.Load(), Delivered: c.delivered.Load(),
		Resumed: c.resumed.Load(), Reset: c.reset.Load(), Trimmed: c.trimmed.Load(),
	}
}
