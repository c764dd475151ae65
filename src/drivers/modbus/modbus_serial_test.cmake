# The foreign peer is libmodbus, in the plant under site/.
target_link_libraries(${name} PRIVATE gg_site_modbus util)
