package stream

// Replace is Send in place of the events that wait: at most two are unsent, the one that
// is being written and this. It is for streams of which each event says all there is to
// know, and whose clients may be slow: none is dropped for it.
func (one *Stream) Replace(e *Event) bool {
	b := e.wire(one.kind)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.shut {
		return false
	}
	left := one.queue[:0]
	for _, p := range one.queue {
		if p.event {
			one.events--
			one.size -= len(p.bytes)
		} else {
			left = append(left, p)
		}
	}
	clear(one.queue[len(left):])
	one.queue = left
	one.streams.counts.out.Add(1)
	one.events++
	one.put(piece{b, true})
	return true
}
