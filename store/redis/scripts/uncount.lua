-- Takes back what was counted, where it was no such try after all. What is over by now stays over.
--
-- KEYS  1 count:NAME
-- Answer  nothing

if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end
