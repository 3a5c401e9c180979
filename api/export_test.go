package api

import "github.com/danielgtaylor/huma/v2"

// Document is the document as Huma holds it, for the tests that walk it.
func Document() *huma.OpenAPI { return described() }

// CachedAnswers returns how many answers the server keeps.
func CachedAnswers(s *Server) int {
	n, c := 0, s.cache.Load()
	for i := range c.shards {
		n += len(c.shards[i].m)
	}
	return n
}

// CachedForms returns how many forms of answers the server keeps.
func CachedForms(s *Server) int { return len(s.cache.Load().forms.m) }
