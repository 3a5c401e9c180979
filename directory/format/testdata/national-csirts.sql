--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';

COPY public.contacts (id, email) FROM stdin;
1	nobody@example.org
\.

COPY public.certs (id, iso2, team_name, full_team_name, email, confirmed, source, active, editor_email, created, changed, type_of_cert, weight, ti_url) FROM stdin;
1	AT	CERT.example	Response Team	reports@example.org	t	a meeting	t	editor@example.net	2011-06-10 15:36:47.822351+02	2011-06-10 15:37:28.796997+02	\N	0.5	\N
2	AT	Example CERT	Emergency\tResponse Team	Reports@example.org	t	a directory	t	\N	2013-08-02 12:17:04+02	2013-08-02 12:17:04+02	Government. - National	0.5	https://example.org/teams/example
3	AT	CERT.example	Computer Emergency Response Team Example	reports@example.org	f	an import	t	editor@example.net	2017-06-29 01:23:28+02	2017-06-29 01:23:28+02	national	0.9	\N
4	UK	Old CERT	Former Team	old@example.org	t	a meeting	f	\N	2011-06-10 15:36:47+02	2015-09-09 15:00:59+02	\N	0	\N
5	TN	CERT-TN	Jean Dupont	jean.dupont@example.org	t	a meeting	t	\N	2011-06-10 15:36:47+02	2011-06-10 15:37:28+02	academic	0.5	\N
\.

SELECT 1;
