package adminapi

// PathServices is the path of the plugins that a plugin calls.
const PathServices = "/v1/plugins/{name}/services"

// Service is a plugin that another one calls.
type Service struct {
	Name    string   `json:"name" doc:"By which it is called: http://NAME.wasmoor.internal"`
	Plugin  string   `json:"plugin" doc:"That the name stands for"`
	Bound   bool     `json:"bound,omitempty" doc:"An operator has decided that; else the manifest says it"`
	Granted bool     `json:"granted" doc:"It may be called; else the version waits for an approval"`
	Serves  bool     `json:"serves" doc:"A version of it does"`
	About   []string `json:"about" doc:"Whose it is, and what it and those that it calls may do themselves"`
}

// Bindings are what names stand for from now on. Those that are not named stay.
type Bindings struct {
	Bind   map[string]string `json:"bind,omitempty" nullable:"true" maxProperties:"32" doc:"A plugin for each name"`
	Unbind []string          `json:"unbind,omitempty" nullable:"true" maxItems:"32" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" patternDescription:"1 to 63 of a-z, 0-9 and -, not starting or ending with -" doc:"Names that stand for what the manifest says, which counts as approved"`
}
