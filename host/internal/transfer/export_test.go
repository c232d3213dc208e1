package transfer

// CountAtMost has a call count so many keys at most.
func (s *Service) CountAtMost(keys int) { s.countKeys = keys }
