package abi

// Constant is a number of the contract under the name that bindings make theirs
// of: words in lower case.
type Constant struct {
	Name  string
	Value int64
	Doc   string // what it means; "" where the name says it
}

// Constants are numbers of one meaning.
type Constants struct {
	Doc  string // what they are
	List []Constant
}

// Statuses returns the status codes in the order of SPEC.md.
func Statuses() []Constant {
	var list []Constant
	for i, doc := range [...]string{
		"done; nothing to count",
		"a range does not lie within memory",
		"an argument breaks a rule of the function",
		"no such key, name or handle",
		"the function cannot be called now (initialisation, warm-up)",
		"the plugin has no grant for the capability",
		"the call would exceed a limit",
		"the value is not a counter, or the counter would overflow",
		"the host failed; its log says why",
		"a call to another service took too long",
		"a call to another service failed on its way: no connection, an untrusted certificate, an answer that is not HTTP",
	} {
		s := -Status(i)
		list = append(list, Constant{s.String(), int64(s), doc})
	}
	return list
}

// Numbers returns the other numbers of the contract, by what they are for.
func Numbers() []Constants {
	return []Constants{
		{"levels of " + FnLogWrite, []Constant{
			{"debug", int64(LogDebug), ""},
			{"info", int64(LogInfo), ""},
			{"warn", int64(LogWarn), ""},
			{"error", int64(LogError), ""},
		}},
		{"outcomes of " + FnOutcomeSet, []Constant{
			{"by status", int64(OutcomeDefault), "below 500 commits, 500 and above drops the effects"},
			{"commit", int64(OutcomeCommit), "whatever the status"},
			{"abort", int64(OutcomeAbort), "whatever the status"},
		}},
		{"flags of " + FnKVList, []Constant{
			{"reverse", int64(ListReverse), "from the highest key down"},
			{"keys only", int64(ListKeysOnly), "without values"},
			{"snapshot", int64(ListSnapshot), "without depending on what is listed"},
		}},
		{"flags of " + FnHTTPOpen, []Constant{
			{"no redirect", int64(HTTPNoRedirect), "an answer of 3xx is given as it is"},
			{"no cache", int64(HTTPNoCache), "neither read nor fill the response cache"},
		}},
		{"results of " + FnPasswordVerify, []Constant{
			{"password wrong", PasswordWrong, "no match"},
			{"password right", PasswordRight, "a match"},
			{"password stale", PasswordStale, "a match, with other parameters than those of " + FnPasswordHash + ": hash it again"},
		}},
		{"types of SQL values", []Constant{
			{"sql null", int64(SQLNull), ""},
			{"sql integer", int64(SQLInteger), "i64"},
			{"sql float", int64(SQLFloat), "f64"},
			{"sql text", int64(SQLText), "UTF-8"},
			{"sql blob", int64(SQLBlob), "bytes"},
		}},
		{"results of " + FnQueueSend, []Constant{
			{"queue sent", QueueSent, "the message is in the commit"},
			{"queue repeated", QueueRepeated, "a message with that id was sent before: this one is dropped"},
		}},
		{"flags of " + FnSocketSend + " and " + FnPublish, []Constant{
			{"socket binary", int64(SocketBinary), "the data is no text, and need not be UTF-8"},
		}},
		{"sizes in bytes", []Constant{
			{"counter size", CounterSize, "of a counter's value"},
			{"versionstamp size", VersionstampSize, "of the revision that a commit writes into a key or a value"},
			{"page header size", PageHeaderSize, "of a page without entries"},
			{"sql page header size", SQLPageHeaderSize, "of a page without rows"},
			{"sql result size", SQLResultSize, "of what " + FnSQLExec + " tells"},
		}},
	}
}
