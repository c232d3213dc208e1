package stream

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func closeFrame(code int, reason string) []byte {
	return masked(ws.OpClose, true, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// TestVectors holds the reader of WebSockets to RFC 6455: what a client sends, which
// messages that is, and with which code the server closes.
func TestVectors(t *testing.T) {
	text, binary, cont, ping, pong := ws.OpText, ws.OpBinary, ws.OpContinuation, ws.OpPing, ws.OpPong
	rsv := func(bits byte) []byte {
		b := masked(text, true, "x")
		b[0] |= bits << 4
		return b
	}
	lying := func(n uint64) []byte { // a head that promises so much
		return join([]byte{0x82, 0xff}, be64(n), []byte{1, 2, 3, 4})
	}
	bye := closeFrame(1000, "done")
	const snow = "\u2603" // of three bytes
	const face = "\U0001F600"
	for name, tc := range map[string]struct {
		raw  []byte
		want []string
		code int // of the server's close frame; 0 = it sends an empty one
	}{
		"text":                            {join(masked(text, true, "hi"), bye), []string{"thi"}, 1000},
		"binary":                          {join(masked(binary, true, "\xff\x00"), bye), []string{"b\xff\x00"}, 1000},
		"empty text":                      {join(masked(text, true, ""), bye), []string{"t"}, 1000},
		"125 bytes":                       {join(masked(text, true, strings.Repeat("a", 125)), bye), []string{"t" + strings.Repeat("a", 125)}, 1000},
		"126 bytes":                       {join(masked(text, true, strings.Repeat("a", 126)), bye), []string{"t" + strings.Repeat("a", 126)}, 1000},
		"as large as may be":              {join(masked(binary, true, strings.Repeat("a", maxMessage)), bye), []string{"b" + strings.Repeat("a", maxMessage)}, 1000},
		"fragments":                       {join(masked(text, false, "a"), masked(cont, false, "b"), masked(cont, true, "c"), bye), []string{"tabc"}, 1000},
		"empty fragments":                 {join(masked(text, false, ""), masked(cont, false, ""), masked(cont, true, ""), bye), []string{"t"}, 1000},
		"ping within fragments":           {join(masked(text, false, "a"), masked(ping, true, "p"), masked(cont, true, "c"), bye), []string{"tac"}, 1000},
		"pong without a ping":             {join(masked(pong, true, "p"), masked(text, true, "a"), bye), []string{"ta"}, 1000},
		"two messages":                    {join(masked(text, true, "a"), masked(binary, true, "b"), bye), []string{"ta", "bb"}, 1000},
		"character over fragments":        {join(masked(text, false, snow[:1]), masked(cont, false, snow[1:2]), masked(cont, true, snow[2:]), bye), []string{"t" + snow}, 1000},
		"character of 4 over fragments":   {join(masked(text, false, "a"+face[:3]), masked(cont, true, face[3:]), bye), []string{"ta" + face}, 1000},
		"largest character":               {join(masked(text, true, "\U0010FFFF"), bye), []string{"t\U0010FFFF"}, 1000},
		"close without a code":            {masked(ws.OpClose, true, ""), nil, 0},
		"close 1001":                      {closeFrame(1001, ""), nil, 1001},
		"close 3000":                      {closeFrame(3000, "mine"), nil, 3000},
		"close 4999":                      {closeFrame(4999, ""), nil, 4999},
		"close 1012":                      {closeFrame(1012, ""), nil, 1012},
		"close of one byte":               {masked(ws.OpClose, true, "\x03"), nil, 1002},
		"close 999":                       {closeFrame(999, ""), nil, 1002},
		"close 0":                         {closeFrame(0, ""), nil, 1002},
		"close 1004":                      {closeFrame(1004, ""), nil, 1002},
		"close 1005":                      {closeFrame(1005, ""), nil, 1002},
		"close 1006":                      {closeFrame(1006, ""), nil, 1002},
		"close 1015":                      {closeFrame(1015, ""), nil, 1002},
		"close 1016":                      {closeFrame(1016, ""), nil, 1002},
		"close 2999":                      {closeFrame(2999, ""), nil, 1002},
		"close 5000":                      {closeFrame(5000, ""), nil, 1002},
		"close 65535":                     {closeFrame(65535, ""), nil, 1002},
		"close, reason not UTF-8":         {closeFrame(1000, "\xff"), nil, 1007},
		"close, longest reason":           {closeFrame(1000, strings.Repeat("a", 123)), nil, 1000},
		"close of 126 bytes":              {masked(ws.OpClose, true, "\x03\xe8"+strings.Repeat("a", 124)), nil, 1002},
		"close in fragments":              {masked(ws.OpClose, false, "\x03\xe8"), nil, 1002},
		"close within fragments":          {join(masked(text, false, "a"), bye), nil, 1000},
		"ping of 126 bytes":               {masked(ping, true, strings.Repeat("a", 126)), nil, 1002},
		"ping in fragments":               {masked(ping, false, "a"), nil, 1002},
		"not masked":                      {ws.MustCompileFrame(ws.NewTextFrame([]byte("a"))), nil, 1002},
		"ping not masked":                 {ws.MustCompileFrame(ws.NewPingFrame(nil)), nil, 1002},
		"reserved bit 1":                  {rsv(4), nil, 1002},
		"reserved bit 2":                  {rsv(2), nil, 1002},
		"reserved bit 3":                  {rsv(1), nil, 1002},
		"reserved opcode 3":               {masked(3, true, ""), nil, 1002},
		"reserved opcode 7":               {masked(7, true, "a"), nil, 1002},
		"reserved opcode 11":              {masked(11, true, ""), nil, 1002},
		"reserved opcode 15":              {masked(15, true, ""), nil, 1002},
		"continuation of nothing":         {masked(cont, true, "a"), nil, 1002},
		"continuation after a message":    {join(masked(text, true, "a"), masked(cont, true, "b")), []string{"ta"}, 1002},
		"text within fragments":           {join(masked(text, false, "a"), masked(text, true, "b")), nil, 1002},
		"binary within fragments":         {join(masked(text, false, "a"), masked(binary, false, "b")), nil, 1002},
		"text not UTF-8":                  {masked(text, true, "a\xff"), nil, 1007},
		"surrogate":                       {masked(text, true, "\xed\xa0\x80"), nil, 1007},
		"overlong":                        {masked(text, true, "\xc0\xaf"), nil, 1007},
		"beyond Unicode":                  {masked(text, true, "\xf4\x90\x80\x80"), nil, 1007},
		"character cut by the end":        {join(masked(text, false, "a"), masked(cont, true, snow[:2])), nil, 1007},
		"bad character, message not over": {join(masked(text, false, snow[:1]), masked(cont, false, "a")), nil, 1007},
		"too large":                       {masked(binary, true, strings.Repeat("a", maxMessage+1)), nil, 1009},
		"too large in fragments":          {join(masked(binary, false, strings.Repeat("a", maxMessage)), masked(cont, true, "a")), nil, 1009},
		"promises too much":               {lying(1 << 40), nil, 1009},
		"length with the first bit":       {lying(1 << 63), nil, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1 << 20, 1, 7} {
				if len(tc.raw)/piece > 2000 {
					continue
				}
				checkVector(t, tc.raw, piece, tc.want, tc.code)
			}
		})
	}
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func checkVector(t *testing.T, raw []byte, piece int, want []string, code int) {
	t.Helper()
	s := openOne(t, newStreams(t, Config{}), Opening{Kind: WebSocket})
	for chunk := range slices.Chunk(raw, piece) {
		if _, err := s.client.Write(chunk); err != nil {
			break // the server has closed already
		}
	}
	for {
		f := s.next(t)
		if f.Header.OpCode == ws.OpPong {
			continue
		}
		if f.Header.OpCode != ws.OpClose {
			t.Fatalf("got opcode %d, want a close frame", f.Header.OpCode)
		}
		got, _ := ws.ParseCloseFrameData(f.Payload)
		if len(f.Payload) == 0 {
			got = 0
		}
		if int(got) != code {
			t.Errorf("pieces of %d: closed with %d, want %d", piece, got, code)
		}
		break
	}
	if more, err := io.ReadAll(s.in); err != nil || len(more) > 0 {
		t.Errorf("pieces of %d: after the goodbye there is %q, %v", piece, more, err)
	}
	_ = s.client.Close()
	s.got.wait(t)
	if !slices.Equal(s.got.messages, want) {
		t.Errorf("pieces of %d: messages %q, want %q", piece, s.got.messages, want)
	}
}

// TestPingsAreAnswered: each with what it carried, several at once too.
func TestPingsAreAnswered(t *testing.T) {
	s := openOne(t, newStreams(t, Config{}), Opening{Kind: WebSocket})
	var pings []byte
	payloads := []string{"", "a", strings.Repeat("b", 125), "c", "d", "e", "f", "g", "h", "i"}
	for _, payload := range payloads {
		pings = append(pings, masked(ws.OpPing, true, payload)...)
	}
	s.send(t, pings)
	for _, payload := range payloads {
		if f := s.next(t); f.Header.OpCode != ws.OpPong || string(f.Payload) != payload {
			t.Errorf("answer to ping %q: opcode %d, %q", payload, f.Header.OpCode, f.Payload)
		}
	}
}

// TestClientLeaves: without a word, with one, and with half of a message.
func TestClientLeaves(t *testing.T) {
	for name, tc := range map[string]struct {
		kind Kind
		say  []byte
		code int
		text string
	}{
		"no word":       {WebSocket, nil, CodeLost, ""},
		"half a frame":  {WebSocket, masked(ws.OpText, true, "hello")[:4], CodeLost, ""},
		"half message":  {WebSocket, masked(ws.OpText, false, "hello"), CodeLost, ""},
		"close":         {WebSocket, closeFrame(3001, "bored"), 3001, "bored"},
		"event stream":  {EventSource, nil, CodeLost, ""},
		"sends to it":   {EventSource, []byte("GET / HTTP/1.1\r\n\r\n"), CodeLost, ""},
		"floods events": {EventSource, []byte(strings.Repeat("a", 10<<10)), CodeLost, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := newStreams(t, Config{})
			s := openOne(t, all, Opening{Kind: tc.kind})
			s.send(t, tc.say)
			_ = s.client.Close()
			s.got.wait(t)
			if s.got.code != tc.code || s.got.reason != tc.text || !s.got.left || len(s.got.messages) > 0 {
				t.Errorf("closed with %d %q, left %v, messages %q", s.got.code, s.got.reason, s.got.left, s.got.messages)
			}
			if n := all.Open(); n != 0 {
				t.Errorf("%d streams are open", n)
			}
		})
	}
}

// TestFlood: who sends more than may be is told so, and what came before is delivered.
func TestFlood(t *testing.T) {
	for name, frame := range map[string][]byte{
		"messages": masked(ws.OpText, true, "a"), "pings": masked(ws.OpPing, true, ""), "pongs": masked(ws.OpPong, true, ""),
		"fragments": masked(ws.OpText, false, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := newStreams(t, Config{Rate: 10})
			s := openOne(t, all, Opening{Kind: WebSocket})
			flood := []byte(strings.Repeat(string(frame), 1))
			go func() {
				for {
					if _, err := s.client.Write(flood); err != nil {
						return
					}
					if name == "fragments" {
						flood = masked(ws.OpContinuation, false, "")
					}
				}
			}()
			for {
				f := s.next(t)
				if f.Header.OpCode != ws.OpClose {
					continue
				}
				if code, _ := ws.ParseCloseFrameData(f.Payload); code != CodePolicy {
					t.Errorf("closed with %d, want %d", code, CodePolicy)
				}
				break
			}
			_ = s.client.Close()
			s.got.wait(t)
			if n := all.Totals().Flooded; n != 1 {
				t.Errorf("%d floods are counted", n)
			}
		})
	}
}

// TestAhead: what the client sent behind its request is the first of the stream.
func TestAhead(t *testing.T) {
	all := join(masked(ws.OpText, true, "early"), masked(ws.OpText, true, "late"), closeFrame(1000, ""))
	for cut := 0; cut <= len(all); cut += 5 {
		s := openOne(t, newStreams(t, Config{}), Opening{Kind: WebSocket, Ahead: all[:cut], Head: []byte("HEAD")})
		s.send(t, all[cut:])
		head := make([]byte, 4)
		if _, err := io.ReadFull(s.in, head); err != nil || string(head) != "HEAD" {
			t.Fatalf("head %q, %v", head, err)
		}
		s.got.wait(t)
		if !slices.Equal(s.got.messages, []string{"tearly", "tlate"}) {
			t.Fatalf("cut at %d: %q", cut, s.got.messages)
		}
	}
}

// FuzzReader: no bytes of a client may break the reader, or keep more memory than may be.
func FuzzReader(f *testing.F) {
	f.Add(join(masked(ws.OpText, false, "a"), masked(ws.OpPing, true, "p"), masked(ws.OpContinuation, true, "c"), closeFrame(1000, "done")))
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
	f.Add([]byte{0x88, 0x81, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		all := New(Config{})
		s := openOne(t, all, Opening{Kind: WebSocket})
		_, _ = s.client.Write(raw)
		_ = s.client.Close()
		s.got.wait(t)
		for _, m := range s.got.messages {
			if len(m) > 1+maxMessage {
				t.Errorf("a message of %d bytes", len(m)-1)
			}
		}
		closeNow(t, all)
	})
}

func TestAllowance(t *testing.T) {
	a, now := allowance{rate: 10}, time.Unix(1000, 0)
	taken := func() (n int) {
		for a.take(now, 1) {
			n++
		}
		return n
	}
	if n := taken(); n != 20 {
		t.Errorf("%d at once, want 20", n)
	}
	now = now.Add(time.Second)
	if n := taken(); n != 10 {
		t.Errorf("%d a second later, want 10", n)
	}
	now = now.Add(time.Hour)
	if n := taken(); n != 20 {
		t.Errorf("%d an hour later, want 20", n)
	}
}
