// Package hostile makes modules that mean harm to whoever takes uploads: ones
// that lie about what they hold, that cost a compiler, that take memory or time,
// that pretend. They are the same each time. Only tests import it.
package hostile

// Module is a module and what a host with default settings says of it.
type Module struct {
	Family, Name string
	Make         func() []byte

	// Upload is the status of the answer to its upload, and Says is part of that.
	// What takes all of a build's memory or time on one machine may take all of the
	// other on the next, so that a 413 is as good as a 422.
	Upload int
	Says   string
	// Request is the status of the answer to a request, of a module that is taken.
	Request int
}

// Statuses of answers.
const (
	taken     = 201
	tooLarge  = 413
	invalid   = 422
	served    = 200
	trapped   = 502
	deadlined = 504
)

// All returns the modules, family by family.
func All() []Module {
	var all []Module
	for _, family := range []struct {
		name    string
		modules []Module
	}{
		{"number that lies", lies()},
		{"cut short", cuts()},
		{"section out of place", sections()},
		{"not a module", strangers()},
		{"control flow", flows()},
		{"body", bodies()},
		{"locals and types", locals()},
		{"size", sizes()},
		{"start", starts()},
		{"request", requests()},
		{"import", imports()},
		{"name", names()},
		{"custom section", customs()},
	} {
		for _, m := range family.modules {
			m.Family = family.name
			all = append(all, m)
		}
	}
	return all
}
