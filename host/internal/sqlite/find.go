package sqlite

import "bytes"

// shortNeedle is the length up to which bytes.Index is fast enough without a table.
const shortNeedle = 32

// needle is what a text is searched for, in a time that grows with the text alone.
type needle struct {
	text []byte
	back []int32 // for each prefix, the length of the longest other one that it ends with; nil = it is short
}

func newNeedle(text []byte) needle {
	n := needle{text: text}
	if len(text) <= shortNeedle {
		return n
	}
	n.back = make([]int32, len(text))
	for i, k := 1, int32(0); i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = n.back[k-1]
		}
		if text[i] == text[k] {
			k++
		}
		n.back[i] = k
	}
	return n
}

// in returns where the needle is first, -1 = nowhere. It is not empty.
func (n needle) in(text []byte) int {
	if n.back == nil {
		return bytes.Index(text, n.text)
	}
	k := int32(0)
	for i, b := range text {
		for k > 0 && b != n.text[k] {
			k = n.back[k-1]
		}
		if b == n.text[k] {
			k++
		}
		if int(k) == len(n.text) {
			return i + 1 - len(n.text)
		}
	}
	return -1
}

// replaced returns text with by in place of each needle, or false if that has more than
// most bytes.
func replaced(text []byte, n needle, by []byte, most int) (b []byte, ok bool) {
	for {
		i := n.in(text)
		if i < 0 {
			b = append(b, text...)
			return b, len(b) <= most
		}
		b = append(append(b, text[:i]...), by...)
		if len(b) > most {
			return nil, false
		}
		text = text[i+len(n.text):]
	}
}

// chars returns the characters of a text, as SQLite tells them apart.
func chars(text []byte) map[string]bool {
	all := map[string]bool{}
	for len(text) > 0 {
		n := 1
		for text[0] >= 0xc0 && n < len(text) && n < longest && text[n]&0xc0 == 0x80 {
			n++
		}
		all[string(text[:n])] = true
		text = text[n:]
	}
	return all
}

// longest is the longest character, in bytes.
const longest = 4

// trimmed returns text without characters of a set at its ends.
func trimmed(text []byte, of map[string]bool, left, right bool) []byte {
	for left {
		n := longest
		for n = min(n, len(text)); n > 0 && !of[string(text[:n])]; n-- {
		}
		text, left = text[n:], n > 0
	}
	for right {
		n := longest
		for n = min(n, len(text)); n > 0 && !of[string(text[len(text)-n:])]; n-- {
		}
		text, right = text[:len(text)-n], n > 0
	}
	return text
}
