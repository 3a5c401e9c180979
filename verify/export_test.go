package verify

// Lanes returns how many peers a limiter remembers.
func Lanes(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lanes)
}
