package adminapi

// The paths of the data of a plugin.
const (
	PathSizes      = "/v1/plugins/{name}/data/sizes"
	PathKeysExport = "/v1/plugins/{name}/kv/export"
	PathKeysImport = "/v1/plugins/{name}/kv/import"
	PathData       = "/v1/plugins/{name}/data"
	PathDataCopy   = "/v1/plugins/{name}/data/copy"
)

// SizesQuery asks for what the areas of a plugin's data hold, some of it at a time.
type SizesQuery struct {
	PluginRef
	After string `query:"after" maxLength:"1367" pattern:"^[A-Za-z0-9_-]{0,1000}[A-Za-z0-9_-]{0,367}$" patternDescription:"next of the answer before" doc:"Count on from here; empty = from the start"`
}

// Sizes is what areas hold. Expired keys count until they are swept.
type Sizes struct {
	Areas []AreaSize `json:"areas" doc:"What was counted, by area"`
	Next  string     `json:"next,omitempty" doc:"Where to count on, and to add that up; absent = all is counted"`
	Total Usage      `json:"total" doc:"What all areas hold by the store's own counters, to the moment"`
	Quota Usage      `json:"quota" doc:"What the plugin may have without the messages of its queues; 0 = no bound"`
}

// AreaSize is what one area holds.
type AreaSize struct {
	Area string `json:"area" doc:"kv, sql, blobs, queue, topics, cron, or records: what the host keeps for it"`
	Usage
}

// KeysExport asks for the keys of a plugin as lines.
type KeysExport struct {
	PluginRef
	Prefix       string `query:"prefix" maxLength:"1024" doc:"Only keys that start with it, at most 1024 bytes"`
	PrefixBase64 string `query:"prefix_base64" minLength:"4" maxLength:"1368" pattern:"^(?:[A-Za-z0-9+/]{4}){0,250}(?:[A-Za-z0-9+/]{4}){0,90}(?:[A-Za-z0-9+/]{4}(?:[A-Za-z0-9+/]{2}==)?|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$" patternDescription:"base64 of at most 1024 bytes, with padding" doc:"The prefix in base64, where it is not UTF-8; not together with prefix"`
}

// Bound returns the prefix, nil = none. The error is for who wrote it.
func (q KeysExport) Bound() ([]byte, error) { return bound("prefix", q.Prefix, q.PrefixBase64) }

// What an import does with a key that is there with another value.
const (
	ConflictFail    = "fail"
	ConflictSkip    = "skip"
	ConflictReplace = "replace"
)

// Bounds of one request of an import.
const (
	MaxImportLines = 1000
	// MaxImportBody is in bytes: the longest line, or many that are short.
	MaxImportBody = 7 << 20
)

// KeysImport is the parameters of a request that sets keys; its body is lines of an
// export, without the first and the last one.
type KeysImport struct {
	PluginRef
	OnConflict string `query:"on_conflict" maxLength:"7" pattern:"^(fail|skip|replace)?$" patternDescription:"fail, skip or replace" doc:"What becomes of a key that is there with another value: it stays, or is replaced; fail, or empty = nothing is imported"`
	Line       int    `query:"line" default:"1" minimum:"1" maximum:"9007199254740991" doc:"The number of the first line, for messages"`
	DryRun     bool   `query:"dry_run" doc:"Only say what would happen"`
}

// KeysImported is what became of the keys of an import.
type KeysImported struct {
	Added     int   `json:"added" doc:"Were not there"`
	Replaced  int   `json:"replaced" doc:"Had another value"`
	Unchanged int   `json:"unchanged" doc:"Had this value already"`
	Skipped   int   `json:"skipped" doc:"Have another value, which stays"`
	Expired   int   `json:"expired" doc:"Would be gone already"`
	Bytes     int64 `json:"bytes" doc:"By which the data grows, of keys and values"`
}

// Add adds up what became of several parts.
func (k *KeysImported) Add(more KeysImported) {
	k.Added, k.Replaced, k.Unchanged = k.Added+more.Added, k.Replaced+more.Replaced, k.Unchanged+more.Unchanged
	k.Skipped, k.Expired, k.Bytes = k.Skipped+more.Skipped, k.Expired+more.Expired, k.Bytes+more.Bytes
}

// DataImport is the parameters of a request that puts the data of an archive in place of
// a plugin's; its body is the archive.
type DataImport struct {
	PluginRef
	Replace  bool `query:"replace" doc:"Remove the data that the plugin has"`
	DataOnly bool `query:"data_only" doc:"Take keys, databases and blobs alone: no messages, events, schedules or kept answers"`
}

// DataCopy has the data of another plugin put in place of one's.
type DataCopy struct {
	From    string `json:"from" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 63 of a-z, 0-9 and -, not starting or ending with -" doc:"The plugin whose data it is" example:"guestbook"`
	Replace bool   `json:"replace,omitempty" nullable:"true" doc:"Remove the data that the plugin has"`
}

// DataMoved is what was put in place.
type DataMoved struct {
	From     string `json:"from" doc:"The plugin whose data it was"`
	Revision uint64 `json:"revision" doc:"All of it is of this revision"`
	Usage
}
