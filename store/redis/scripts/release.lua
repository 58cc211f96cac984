-- Gives a turn back, if it is still ours.
--
-- KEYS  1 turn:NAME
-- ARGV  1 token
-- Answer  1 given back   0 it was lost before

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
