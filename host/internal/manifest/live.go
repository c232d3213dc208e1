package manifest

// live reads whether the answers of a route are live: what they rest on is known of the
// store alone.
func (r *reader) live(root, t Table, pattern string) bool {
	const key = "live"
	live := t.Bool(key)
	switch mode, _ := root.values["isolation"].(string); {
	case !live || pattern == "":
	case methodOf(pattern) != "GET":
		t.Fail(key, "it is for GET alone; write the pattern as \"GET /path\"")
	case t.Bool("private"):
		t.Fail(key, "a private route has no clients that could ask for it")
	case mode == "instance":
		t.Fail(key, `with isolation = "instance" an answer may rest on the memory of an instance, and nothing tells when that changes`)
	}
	return live
}
