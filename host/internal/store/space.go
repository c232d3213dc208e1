package store

// Space is the internal id of a key space, up to MaxSpace: fixed length on disk,
// never derived from a name, never used twice. Space 0 is the host's own (package
// registry). The byte above the id says which area of the space is meant, so that
// a Space is also where keys lie.
type Space uint64

// MaxSpace is the highest id of a key space.
const MaxSpace Space = 1<<areaShift - 1

const areaShift = 56

// Area is a part of a key space that has keys of its own. All areas of a space
// are dropped, swept and copied with it, and counted as Account says.
type Area uint8

// The areas. Their numbers are on disk: one that was given away stays so.
const (
	AreaKV      Area = 0x00 // what the plugin keeps; a Space without more is this one
	AreaRecords Area = 0x80 // the host's records of the plugin; see Part.Records
	AreaQueue   Area = 0x81 // messages
	AreaCron    Area = 0x82 // due times and history
	AreaTopics  Area = 0x83 // retained events
	AreaSQL     Area = 0x84 // pages of databases
	AreaBlobs   Area = 0x85 // names of blobs
)

// Areas returns all areas in ascending order.
func Areas() [7]Area {
	return [...]Area{AreaKV, AreaRecords, AreaQueue, AreaCron, AreaTopics, AreaSQL, AreaBlobs}
}

// Known reports whether a is one of Areas.
func (a Area) Known() bool { return a == AreaKV || a >= AreaRecords && a <= AreaBlobs }

// In returns an area of the space that s belongs to.
func (s Space) In(a Area) Space { return s.Owner() | Space(a)<<areaShift }

// Account returns what the keys of s are counted with, and held to a quota with: all
// areas of a space but AreaQueue, which is counted apart, so that waiting messages
// leave a plugin room to handle them.
func (s Space) Account() Space {
	if s.Area() == AreaQueue {
		return s
	}
	return s.Owner()
}

// Area returns which area s is.
func (s Space) Area() Area { return Area(s >> areaShift) }

// Owner returns the key space that an area belongs to.
func (s Space) Owner() Space { return s & MaxSpace }

// Empty reports whether a key space holds nothing that a plugin or its clients have put
// there: what the host keeps by itself, in AreaRecords and AreaCron, does not count.
func Empty(snap Snapshot, s Space) (bool, error) {
	for _, a := range []Area{AreaKV, AreaSQL, AreaBlobs, AreaQueue, AreaTopics} {
		empty := true
		err := snap.Scan(s.In(a), []byte{}, nil, false, func([]byte, Value) bool {
			empty = false
			return false
		})
		if err != nil || !empty {
			return false, err
		}
	}
	return true, nil
}
