package session

import "encoding/binary"

// A record is a version, the times of creation and last use, the length of the user,
// the user, and the data. Numbers are big-endian.
const (
	recordVersion = 1
	recordHead    = 1 + 8 + 8 + 4
)

func encode(s *Session) []byte {
	b := append(make([]byte, 0, recordHead+len(s.User)+len(s.Data)), recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Created))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Seen))
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.User)))
	return append(append(b, s.User...), s.Data...)
}

func decode(b []byte) (s Session, ok bool) {
	if len(b) < recordHead || b[0] != recordVersion {
		return s, false
	}
	s.Created, s.Seen = int64(binary.BigEndian.Uint64(b[1:])), int64(binary.BigEndian.Uint64(b[9:]))
	n, rest := uint64(binary.BigEndian.Uint32(b[17:])), b[recordHead:]
	if n > uint64(len(rest)) {
		return s, false
	}
	s.User, s.Data = string(rest[:n]), rest[n:]
	return s, true
}
