package blob

// Answer is a blob that is the body of a reply, and what its name says of it. Whoever
// sends the reply releases it.
type Answer struct {
	*Held
	Name        string // as the plugin knows it
	Type        string // media type; "" = nothing is known
	Disposition string // the Content-Disposition; "" = none
	Created     int64  // when the name was given, Unix milliseconds
}

// ETag returns the entity tag of the bytes.
func (a *Answer) ETag() string { return `"` + a.Digest.String() + `"` }
