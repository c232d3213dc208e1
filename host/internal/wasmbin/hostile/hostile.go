// Package hostile makes modules that mean harm to whoever takes uploads: ones
// that lie about what they hold, that cost a compiler, that take memory or time,
// that pretend. They are the same each time. Only tests import it.
package hostile

// Family is modules that are alike.
type Family struct {
	Name    string
	Modules []Module
}

// Module is a module and what a host with default settings says of it.
type Module struct {
	Name string
	Make func() []byte

	// Upload is the status of the answer to its upload, and Says is part of the
	// answer. It is 0 where it depends on the machine whether a build's memory and
	// time are enough: the module is refused or serves.
	Upload int
	Says   string
	// Request is the status of the answer to a request, of a module that is taken.
	Request int
}

// Statuses of answers.
const (
	costly    = 0
	taken     = 201
	tooLarge  = 413
	invalid   = 422
	served    = 200
	trapped   = 502
	deadlined = 504
)

// Families returns all modules.
func Families() []Family {
	all := []Family{
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
	}
	for _, family := range all {
		for i, m := range family.Modules {
			if m.Upload == costly {
				family.Modules[i].Request = served
			}
		}
	}
	return all
}
