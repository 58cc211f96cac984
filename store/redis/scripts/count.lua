-- Counts how often something was tried since a window began. It begins with the first try, and goes by itself.
--
-- KEYS  1 count:NAME
-- ARGV  1 length of the window, ms
-- Answer  how often, with this one

local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
