package identity

// Remembered is how many tokens of a listener v knows again.
func Remembered(v *Verifier, listener string) int {
	tokens := v.listeners[listener].tokens
	tokens.mu.Lock()
	defer tokens.mu.Unlock()
	return len(tokens.ring)
}

// RememberedPeers is how many certificates of a listener v knows again.
func RememberedPeers(v *Verifier, listener string) int {
	peers := v.listeners[listener].peers.(*bySPIFFE).known
	peers.mu.Lock()
	defer peers.mu.Unlock()
	return len(peers.ring)
}
