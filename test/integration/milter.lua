-- The milter as another program's mail server sees it: run by miltertest with -D SOCKET=... The milter wants to hear neither connect,
-- HELO nor the end of the header.
--
-- Here is what ends without a new body: Debian's miltertest has room for 1024 octets of one. The rest is milter-client.py's.

local list = "<list@example.com>"

local function check(condition, what)
	if condition then return end
	mt.echo(what .. ", reply " .. tostring(mt.getreply(conn))) -- miltertest does not print what error() is given
	error(what)
end
local function reply(wanted, what)
	check(mt.getreply(conn) == wanted, what)
end
local function connect()
	conn = mt.connect(SOCKET)
	check(conn ~= nil, "no connection")
end
local function envelope(to)
	check(mt.mailfrom(conn, "<dave@example.org>") == nil, "MAIL")
	check(mt.rcptto(conn, to) == nil, "RCPT")
	reply(SMFIR_CONTINUE, to)
	check(mt.data(conn) == nil, "DATA")
end
local function refused()
	envelope(list)
	reply(SMFIR_CONTINUE, "DATA for a list")
	mt.header(conn, "From", "Dave <dave@example.org>")
	mt.header(conn, "Subject", "hello")
	mt.bodystring(conn, "in the clear\r\n")
	check(mt.eom(conn) == nil, "the message's end")
	reply(SMFIR_REPLYCODE, "plaintext to a list")
	check(not mt.eom_check(conn, MT_RCPTADD, "<bob@example.com>"), "members of a message that was refused")
end
local function ordinary()
	envelope("<someone@example.com>")
	reply(SMFIR_ACCEPT, "ordinary mail at DATA")
end

-- One connection: ordinary mail, a list's, and again, in each order.
connect()
ordinary()
refused()
refused()
ordinary()
mt.disconnect(conn)

-- After an abort in the middle, two messages.
connect()
envelope(list)
mt.header(conn, "X-Recrypt-Hop", "list@example.com")
mt.bodystring(conn, "half of ")
mt.abort(conn)
ordinary()
mt.abort(conn)
refused()
mt.disconnect(conn)

-- Gone in the middle, without a word; another comes.
connect()
envelope(list)
mt.header(conn, "From", "Dave <dave@example.org>")
mt.disconnect(conn, false)
connect()
refused()
ordinary()
mt.disconnect(conn)
